"""One self-contained HTML file about a comparison: no request leaves it, and nothing in it runs."""

from .page import page

__all__ = ["page"]
