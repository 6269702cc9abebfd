"""Renders a comparison as one self-contained HTML file, without scripts and without requests to any server."""

from .page import render_page

__all__ = ["render_page"]
