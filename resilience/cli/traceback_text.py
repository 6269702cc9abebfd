"""Rebuilds the error at the end of a traceback, with its causes or members, and reads what our note says of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ..errors import ApiError
from ..replay.bare_texts import recognized_error, recognized_in_line
from ..replay.error_stand_ins import rebuild_error

__all__ = ["HEADER", "RaisedError", "RecordedFailure", "parse_raised"]

HEADER = re.compile(r"(Exception Group )?Traceback \(most recent call last\):")
_RAISED = re.compile(r"((?:[A-Za-z_]\w*\.)*[A-Z]\w*|(?:[A-Za-z_]\w*\.)+\w+)(?:: (.*))?")  # the last line of a traceback
_GROUP = re.compile(r"^ *\| ?")  # the line that is drawn beside the errors of an exception group
_NOTE = re.compile(
    r"resilience: (retryable|fatal|user_fixable)(?: (\S.*?))? after \d+ attempts?, executed: (no|maybe|n_a)"
    r"(?:, key [^;]*)?(?:; (.*))?"
)
_CAUSE, _CONTEXT = "The above exception was", "During handling of"
_END_OF_ERROR = ("resilience: ", _CONTEXT, _CAUSE, "+-")  # what may follow an error's text
_OUTCOMES = {
    "call_abandoned": "unknown",
    "call_reconciled": "succeeded",
    "call_recovered": "succeeded",
    "write_unknown": "unknown",
}
_WRAPPERS = frozenset({"requests", "ccxt"})
"""Packages whose errors have the error that they were made of as an argument, though it is printed as a context."""


class RecordedFailure(NamedTuple):
    """What the runtime has said of an error, in its note or its log line; None where it said nothing.

    Attributes:
        category, executed, remedy: as in `Failure`.
        code: the code that it reported.
        event: the event of the log line; None for a note.
    """

    category: str | None
    executed: str | None
    remedy: str | None
    code: str | None = None
    event: str | None = None

    @classmethod
    def of_line(cls, line: Mapping[str, Any]) -> RecordedFailure:
        """Return what a line of our log says."""
        values = (line.get(name) for name in ("category", "executed", "remedy", "code", "event"))
        return cls(*(value if isinstance(value, str) and value else None for value in values))

    @property
    def outcome(self) -> str | None:
        """How the call is known to have gone on: `succeeded`, `under way`, or `unknown` for a write in doubt."""
        if self.event in _OUTCOMES:
            return _OUTCOMES[self.event]
        if self.event == "attempt_failed":
            return "under way" if self.executed == "maybe" else None
        return "unknown" if (self.remedy or "").startswith("It may have happened") else None


class RaisedError(NamedTuple):
    """An error, the line that shows it, and what our note says of it."""

    error: Exception
    shown: str
    recorded: RecordedFailure | None = None


class _Block(NamedTuple):
    """One traceback of several: its error, whether that is a group, and how the next one came of it."""

    raised: RaisedError
    is_group: bool
    link: str


def parse_raised(text: str) -> RaisedError:
    """Rebuild the error at the end of a traceback; other text becomes the message of an error without a class."""
    headers = list(HEADER.finditer(text))
    if not headers:
        return _error_in(text.splitlines(), text)
    ends = [*(header.start() for header in headers[1:]), len(text)]
    blocks = [_block(text[header.end() : end], text, header) for header, end in zip(headers, ends, strict=True)]
    group = next((block for block in blocks if block.is_group), None)
    last = _chained(blocks)
    if group is None or len(last) < 1:
        return last[-1] if last else _error_in(text.splitlines(), text)
    members = [_marked(raised) for raised in last]
    return RaisedError(ExceptionGroup("of the traceback", members), last[-1].shown, group.raised.recorded)


def _block(text: str, whole: str, header: re.Match[str]) -> _Block:
    lines = [_GROUP.sub("", line) for line in text.splitlines()]
    error: list[str] = []
    rest = iter(lines)
    for line in rest:
        if error and (not line.strip() or line.lstrip().startswith(_END_OF_ERROR)):
            rest = iter([line, *rest])
            break
        # Frames are indented; the first line that is not begins the error itself.
        if line.strip() and (error or not line[0].isspace()):
            error.append(line)
    after = [line.strip() for line in rest]
    link = next((sign for line in after for sign in (_CAUSE, _CONTEXT) if line.startswith(sign)), "")
    raised = _error_in([*error, *(line for line in after if _NOTE.fullmatch(line))], whole)
    return _Block(raised, header[1] is not None, link)


def _chained(blocks: Iterable[_Block]) -> list[RaisedError]:
    """Return the errors that no other one came of, each with its causes; groups are left out."""
    errors: list[RaisedError] = []
    link, before = "", None
    for raised, is_group, next_link in blocks:
        error = raised.error
        if before is not None and link and not is_group:
            if link == _CAUSE or type(error).__module__.partition(".")[0] in _WRAPPERS:
                _end_of_causes(error).__cause__ = before
            else:
                error.__context__ = before
        if not next_link and not is_group:
            errors.append(raised)
        link, before = next_link, error
    return errors or [block.raised for block in blocks][-1:]


def _end_of_causes(error: BaseException) -> BaseException:
    """Return the last cause: those that the text of an error names come before those of the traceback."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _marked(raised: RaisedError) -> Exception:
    if raised.recorded is not None:
        raised.error.resilience_executed = raised.recorded.executed  # type: ignore[attr-defined]
    return raised.error


def _error_in(lines: Iterable[str], whole: str) -> RaisedError:
    """Return the error that these lines show, whose text may have several, with our note among them."""
    lines = [line.strip() for line in lines if line.strip()]
    notes = [note for line in lines if (note := _NOTE.fullmatch(line))]
    recorded = RecordedFailure(notes[-1][1], notes[-1][3], notes[-1][4] or "", notes[-1][2]) if notes else None
    lines = [line for line in lines if not _NOTE.fullmatch(line)]
    if not lines:
        code = recorded.code if recorded is not None and recorded.code else ""
        return RaisedError(ApiError(code) if code else Exception(whole), notes[-1][0] if notes else whole, recorded)
    return RaisedError(*_error_and_line(lines, whole), recorded)


def _error_and_line(lines: list[str], whole: str) -> tuple[Exception, str]:
    text = " ".join(lines)
    if (error := recognized_error(text)) is not None:
        return error, lines[0]
    if match := _RAISED.fullmatch(text):
        return rebuild_error(match[1], match[2] or ""), lines[0]  # a message of several lines is one error's
    # The text of an error may end with other lines; the last one that begins with a class name counts.
    for line in reversed(lines):
        if match := _RAISED.fullmatch(line):
            return rebuild_error(match[1], match[2] or ""), line
    return recognized_in_line(text) or Exception(whole), lines[-1]
