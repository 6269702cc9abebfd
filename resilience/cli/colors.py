"""Colours words on a terminal: green needs nothing, yellow needs care, red needs you. The words say the same.

Nothing is coloured in a pipe, with `NO_COLOR` set (https://no-color.org), or on a terminal that is `dumb`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

__all__ = ["has_color", "painted", "style_of"]

_CODES: Mapping[str, str] = {"green": "32", "yellow": "33", "red": "31", "bold": "1"}
_MEANINGS: Mapping[str, str] = {
    "success": "green",
    "retryable": "green",
    "user_fixable": "yellow",
    "maybe": "yellow",
    "fatal": "red",
}
"""The style of a cell that is one of these words."""


def has_color(out: TextIO) -> bool:
    """Return whether colours are shown there."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, style: str, out: TextIO) -> str:
    """Return the text in a style, such as `bold red`; as it is where colours are not shown."""
    if not style or not text or not has_color(out):
        return text
    codes = ";".join(_CODES[word] for word in style.split())
    return f"\x1b[{codes}m{text}\x1b[0m"


def style_of(cell: str) -> str:
    """Return the style of a cell by what its word means; empty for other words."""
    return _MEANINGS.get(cell, "")
