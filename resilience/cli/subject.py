"""What somebody wants explained: a code, a body, or the text of an error, made into what a classifier takes."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import ApiError
from ..replay.likeness import rebuilt

__all__ = ["Subject", "read_subject"]

_CODE = re.compile(r"""["']?([-+]?[0-9]{1,9}|[A-Za-z_][\w.]*)["']?""")
_CODE_AND_WORDS = re.compile(r"""["']?([0-9]{3,6})["']?[:\s]+(.*)""", re.DOTALL)
_RAISED = re.compile(r"((?:[A-Za-z_]\w*\.)*[A-Z]\w*)(?:: (.*))?")
_SHOWN = 300


class Subject(NamedTuple):
    """What was given, told apart.

    Attributes:
        outcome: what a classifier takes: an error or a body.
        code: the code or the constant's name, where nothing else was given.
        text: the words to show, not redacted yet.
    """

    outcome: object
    code: str | None
    text: str


def read_subject(given: str) -> Subject:
    """Tell apart a code, a JSON body, a traceback and other text."""
    given = given.strip()
    body = _body(given)
    if isinstance(body, Mapping):
        return Subject(body, None, given[:_SHOWN])
    if found := _CODE.fullmatch(given):
        return Subject(ApiError(found[1]), found[1], "")
    if found := _CODE_AND_WORDS.fullmatch(given):
        return Subject(ApiError(found[1], found[2]), found[1], found[2][:_SHOWN])
    line, error = _raised(given)
    return Subject(error, None, line[:_SHOWN])


def _body(given: str) -> Any:
    """Read JSON, or the way Python shows a dict; None for anything else."""
    if not given.startswith("{"):
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            return read(given)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _raised(given: str) -> tuple[str, Exception]:
    """Rebuild the error that a traceback ends with; other text becomes the words of an error without a class."""
    lines = [line.strip() for line in given.splitlines() if line.strip()]
    for line in reversed(lines):
        found = _RAISED.fullmatch(line)
        if found:
            return line, rebuilt(found[1], found[2] or "")
    return lines[-1], Exception(given)
