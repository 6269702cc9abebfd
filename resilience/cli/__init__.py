"""Runs the command line: `resilience COMMAND …`, or `python -m resilience COMMAND …`."""

from .program import main, parser_of

__all__ = ["main", "parser_of"]
