"""Parses what a user wants explained: a code, a body, a line of our log, a traceback or other text.

The result is what a classifier takes: an error or a body.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..errors import ApiError
from ..replay.error_stand_ins import rebuild_error, stand_in_for
from ..replay.log_reader import parse_event

__all__ = ["ErrorInput", "parse_error_input"]

_CODE = re.compile(r"""["']?([-+]?[0-9]{1,9}|[A-Za-z_][\w.]*)["']?""")
_CODE_AND_TEXT = re.compile(r"""["']?([0-9]{3,6})["']?[:\s]+(.*)""", re.DOTALL)
_RAISED = re.compile(r"((?:[A-Za-z_]\w*\.)*[A-Z]\w*)(?:: (.*))?")  # the last line of a traceback
_HEADER = re.compile(r"Traceback \(most recent call last\):")
_GROUP = re.compile(r"^ *\| ?")  # the line that is drawn beside the errors of an exception group
_END_OF_ERROR = (
    "resilience: ",
    "During handling of",
    "The above exception was",
    "+-",
)  # what may follow an error's text
_TRACEBACK_FIELDS = ("exception", "exc_info", "traceback", "stack")  # of log lines of other programs
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_EVENT = re.compile(r"\bresilience\.([a-z_]+)\b")
_PAIR = re.compile(r"\b([a-z_]+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^\s]+)")
_MAX_TEXT = 300  # characters that are shown


class ErrorInput(NamedTuple):
    """What the user gave, parsed.

    Attributes:
        outcome: what a classifier takes: an error or a body.
        code: the code or the constant's name, if the input is a code.
        text: the text to show, not redacted yet.
        policy: the policy's name, if a log line says it.
    """

    outcome: object
    code: str | None
    text: str
    policy: str | None = None


def parse_error_input(text: str) -> ErrorInput:
    """Parse a code, a line of our log, a JSON body, a traceback or other text. It never raises for odd text."""
    text = text.strip()
    # The order matters: a log line is JSON too, and a code is also text.
    line = _parse_log_line(text)
    if line is not None:
        return line
    body = _parse_body(text)
    if isinstance(body, Mapping):
        traceback = next((body[name] for name in _TRACEBACK_FIELDS if isinstance(body.get(name), str)), "")
        if _HEADER.search(traceback):
            return parse_error_input(traceback)  # the log line of another program
        return ErrorInput(body, None, text[:_MAX_TEXT])
    if match := _CODE.fullmatch(text):
        return ErrorInput(ApiError(match[1]), match[1], "")
    if match := _CODE_AND_TEXT.fullmatch(text):
        return ErrorInput(ApiError(match[1], match[2]), match[1], match[2][:_MAX_TEXT])
    shown, error = _parse_raised(text)
    return ErrorInput(error, None, shown[:_MAX_TEXT])


def _parse_log_line(text: str) -> ErrorInput | None:
    """Parse a line that this library wrote, as JSON or in the format of structlog's console; None for other text."""
    try:
        line = parse_event(text) if text.startswith("{") else _parse_console_line(text)
    except ValueError:
        return None
    if line is None or not any(line.get(name) for name in ("code", "caused_by", "category")):
        return None
    error = stand_in_for(
        kind=_text(line, "caused_by"),
        code=_text(line, "code"),
        status=_number(line, "http_status", int),
        registry=_text(line, "registry"),
        executed=_text(line, "executed"),
        retry_after=_number(line, "retry_after", float),
    )
    parts = [f"resilience.{line['event']}", _text(line, "operation"), _text(line, "caused_by")]
    return ErrorInput(error, None, " ".join(part for part in parts if part)[:_MAX_TEXT], _text(line, "policy"))


def _parse_console_line(text: str) -> dict[str, Any] | None:
    """Parse `… resilience.attempt_failed  attempt=1 code=429 remedy='Slow down' …`."""
    plain = _COLOR.sub("", text)
    event = _EVENT.search(plain)
    if event is None or "\n" in plain:
        return None
    pairs = _PAIR.findall(plain, event.end())
    return {"event": event[1], **{name: value.strip("'\"") for name, value in pairs}}


def _text(line: Mapping[str, Any], name: str) -> str | None:
    value = line.get(name)
    return value[:_MAX_TEXT] if isinstance(value, str) and value else None


def _number(line: Mapping[str, Any], name: str, kind: type[int | float]) -> Any:
    """Return a number, which is text in a console line; None if it is missing or not a number."""
    try:
        return kind(line[name])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _parse_body(text: str) -> Any:
    """Parse JSON, or a dict as Python prints it; None for other text."""
    if not text.startswith("{"):
        return None
    # literal_eval reads what `str(dict)` prints: single quotes, None, True. It runs no code.
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _parse_raised(text: str) -> tuple[str, Exception]:
    """Rebuild the error at the end of a traceback; other text becomes the message of an error without a class."""
    text = _last_error(text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if match := _RAISED.fullmatch(" ".join(lines)):
        return lines[0], rebuild_error(match[1], match[2] or "")  # a message of several lines is one error's
    # The text of an error may end with other lines; the last one that begins with a class name counts.
    for line in reversed(lines):
        match = _RAISED.fullmatch(line)
        if match:
            return line, rebuild_error(match[1], match[2] or "")
    return lines[-1], Exception(text)


def _last_error(text: str) -> str:
    """Return the error at the end of the last traceback, without its notes; the text if there is no traceback."""
    headers = list(_HEADER.finditer(text))
    if not headers:
        return text
    error: list[str] = []
    for line in text[headers[-1].end() :].splitlines():
        plain = _GROUP.sub("", line)
        if error and (not plain.strip() or plain.lstrip().startswith(_END_OF_ERROR)):
            break
        # Frames are indented; the first line that is not begins the error itself.
        if plain.strip() and (error or not plain[0].isspace()):
            error.append(plain)
    return "\n".join(error) or text
