"""What somebody wants explained: a code, a body, a log line, a traceback or other text, as a classifier takes it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import ApiError
from ..replay.error_stand_ins import likeness, rebuilt
from ..replay.log_reader import event_of

__all__ = ["Subject", "read_subject"]

_CODE = re.compile(r"""["']?([-+]?[0-9]{1,9}|[A-Za-z_][\w.]*)["']?""")
_CODE_AND_WORDS = re.compile(r"""["']?([0-9]{3,6})["']?[:\s]+(.*)""", re.DOTALL)
_RAISED = re.compile(r"((?:[A-Za-z_]\w*\.)*[A-Z]\w*)(?:: (.*))?")
_HEADER = re.compile(r"Traceback \(most recent call last\):")
_GROUP = re.compile(r"^ *\| ?")  # the line that is drawn beside the errors of a group
_AFTER = ("resilience: ", "During handling of", "The above exception was", "+-")  # what follows an error's words
_TRACES = ("exception", "exc_info", "traceback", "stack")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_OURS = re.compile(r"\bresilience\.([a-z_]+)\b")
_PAIR = re.compile(r"\b([a-z_]+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s]+)")
_SHOWN = 300


class Subject(NamedTuple):
    """What was given, told apart.

    Attributes:
        outcome: what a classifier takes: an error or a body.
        code: the code or the constant's name, where nothing else was given.
        text: the words to show, not redacted yet.
        policy: the policy's name, where a log line says it.
    """

    outcome: object
    code: str | None
    text: str
    policy: str | None = None


def read_subject(given: str) -> Subject:
    """Tell apart a code, a line of our log, a JSON body, a traceback and other text."""
    given = given.strip()
    line = _log_line(given)
    if line is not None:
        return line
    body = _body(given)
    if isinstance(body, Mapping):
        inside = next((body[name] for name in _TRACES if isinstance(body.get(name), str)), "")
        if _HEADER.search(inside):
            return read_subject(inside)  # a log line of the program's own
        return Subject(body, None, given[:_SHOWN])
    if found := _CODE.fullmatch(given):
        return Subject(ApiError(found[1]), found[1], "")
    if found := _CODE_AND_WORDS.fullmatch(given):
        return Subject(ApiError(found[1], found[2]), found[1], found[2][:_SHOWN])
    said, error = _raised(given)
    return Subject(error, None, said[:_SHOWN])


def _log_line(given: str) -> Subject | None:
    """Read a line that we wrote, as JSON or as structlog's console shows it; None for anything else."""
    try:
        told = event_of(given) if given.startswith("{") else _console(given)
    except ValueError:
        return None
    if told is None or not any(told.get(name) for name in ("code", "caused_by", "category")):
        return None
    error = likeness(
        kind=_word(told, "caused_by"),
        code=_word(told, "code"),
        status=_number(told, "http_status", int),
        registry=_word(told, "registry"),
        executed=_word(told, "executed"),
        retry_after=_number(told, "retry_after", float),
    )
    words = [f"resilience.{told['event']}", _word(told, "operation"), _word(told, "caused_by")]
    return Subject(error, None, " ".join(one for one in words if one)[:_SHOWN], _word(told, "policy"))


def _console(given: str) -> dict[str, Any] | None:
    """Read `… resilience.attempt_failed  attempt=1 code=429 remedy='Slow down' …`."""
    plain = _COLOUR.sub("", given)
    found = _OURS.search(plain)
    if found is None or "\n" in plain:
        return None
    pairs = _PAIR.findall(plain, found.end())
    return {"event": found[1], **{name: value.strip("'\"") for name, value in pairs}}


def _word(told: Mapping[str, Any], name: str) -> str | None:
    value = told.get(name)
    return value[:_SHOWN] if isinstance(value, str) and value else None


def _number(told: Mapping[str, Any], name: str, kind: type[int | float]) -> Any:
    try:
        return kind(told[name])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


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
    given = _last_raised(given)
    lines = [line.strip() for line in given.splitlines() if line.strip()]
    if found := _RAISED.fullmatch(" ".join(lines)):
        return lines[0], rebuilt(found[1], found[2] or "")  # words of several lines are one error's
    for line in reversed(lines):
        found = _RAISED.fullmatch(line)
        if found:
            return line, rebuilt(found[1], found[2] or "")
    return lines[-1], Exception(given)


def _last_raised(given: str) -> str:
    """Return the error that the last traceback ends with, its notes left out; the text where there is no traceback."""
    headers = list(_HEADER.finditer(given))
    if not headers:
        return given
    raised: list[str] = []
    for line in given[headers[-1].end() :].splitlines():
        plain = _GROUP.sub("", line)
        if raised and (not plain.strip() or plain.lstrip().startswith(_AFTER)):
            break
        if plain.strip() and (raised or not plain[0].isspace()):
            raised.append(plain)
    return "\n".join(raised) or given
