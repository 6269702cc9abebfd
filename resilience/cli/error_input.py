"""Parses what a user wants explained: a code, a body, a line of our log, a traceback or other text.

The result is what a classifier takes: an error or a body.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._core.policy.answer_envelope import WHOLE_BODY
from ..errors import ApiError
from ..replay.error_stand_ins import stand_in_for
from ..replay.log_reader import parse_event
from ..telemetry.log_lines import read_line
from ..telemetry.standard_logging import AREAS
from .traceback_text import HEADER, RecordedFailure, parse_raised

__all__ = ["ErrorInput", "parse_error_input"]

_CODE = re.compile(r"""["']?([-+]?[0-9]{1,9}|[A-Za-z_][\w.]*)["']?""")
_DOTTED_CLASS = re.compile(r"(?:[a-z_]\w*\.)+[A-Z]\w*[a-z]\w*")
_CODE_AND_TEXT = re.compile(r"""["']?(?:([0-9]{3,6})["']?[:\s]+|([-+]?[0-9]{1,9})["']?:\s*)(.*)""", re.DOTALL)
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
        recorded: what the runtime has said of this error, if a log line or a note has it.
    """

    outcome: object
    code: str | None
    text: str
    policy: str | None = None
    recorded: RecordedFailure | None = None


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
        if HEADER.search(traceback):
            return parse_error_input(traceback)  # the log line of another program
        return ErrorInput(body, None, text[:_MAX_TEXT])
    if (match := _CODE.fullmatch(text)) and not _is_class(match[1]):
        return ErrorInput(ApiError(match[1]), match[1], "")
    if match := _CODE_AND_TEXT.fullmatch(text):
        code = match[1] or match[2]
        return ErrorInput(ApiError(code, match[3]), code, match[3][:_MAX_TEXT])
    raised = parse_raised(text)
    # A note without its error has nothing but the code.
    code = raised.recorded.code if raised.recorded is not None and raised.shown.startswith("resilience: ") else None
    return ErrorInput(raised.error, code, raised.shown[:_MAX_TEXT], recorded=raised.recorded)


def _is_class(word: str) -> bool:
    """Return whether a word is an exception without a text, as `TimeoutError` is printed, and no constant of an API."""
    kind = getattr(builtins, word, None)
    is_builtin = isinstance(kind, type) and issubclass(kind, BaseException)
    return is_builtin or _DOTTED_CLASS.fullmatch(word) is not None


def _parse_log_line(text: str) -> ErrorInput | None:
    """Parse a line that this library wrote: JSON, structlog's console, `logging`; None for other text."""
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
        url=f"{_text(line, 'host') or ''}{_text(line, 'path') or ''}",
    )
    parts = [f"resilience.{line['event']}", _text(line, "operation"), _text(line, "caused_by")]
    text = " ".join(part for part in parts if part)[:_MAX_TEXT]
    return ErrorInput(error, None, text, _text(line, "policy"), RecordedFailure.of_line(line))


def _parse_console_line(text: str) -> dict[str, Any] | None:
    """Parse `… resilience.attempt_failed  attempt=1 code=429 remedy='Slow down' …`, or the message of `logging`."""
    plain = _COLOR.sub("", text)
    event = next((found for found in _EVENT.finditer(plain) if found[1] not in AREAS), None)
    if event is None:  # `resilience.call` is the name of a logger
        return read_line(plain)
    if "\n" in plain:
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
    """Parse JSON, or a dict as Python prints it; None for other text. A list of mappings is the answer to a batch."""
    if text.startswith("["):
        items = _parsed(text)
        return {WHOLE_BODY: items} if items and all(isinstance(item, Mapping) for item in items) else None
    return _parsed(text) if text.startswith("{") else None


def _parsed(text: str) -> Any:
    # literal_eval reads what `str(dict)` prints: single quotes, None, True. It runs no code.
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None
