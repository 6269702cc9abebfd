"""Runs the command line: `resilience COMMAND …`, or `python -m resilience COMMAND …`."""

import sys

if not hasattr(sys.modules["resilience"], "_OWN_FILES"):
    from .._entry.name_clash import replaced

    raise ImportError(replaced())

from .program import main, parser_of

__all__ = ["main", "parser_of"]
