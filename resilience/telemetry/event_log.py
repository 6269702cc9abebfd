"""Decides which events become log lines, at which level and with which values; a `Sink` writes them.

A failing call writes one line at the default level: the events that only explain its end (`code_unknown`,
`budget_exhausted`, `retries_exhausted`) are named in that line, and `write_unknown` stands for `call_failed`. What an
outage repeats is counted. The level is asked first, so that a line that is filtered costs very little.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .._core.base.abstract_classes import is_mapping
from .._core.base.event import Event, level_of
from .redaction import printable_without_secrets, redact, redact_fields
from .repeats import Repeats, is_remedy_line
from .standard_logging import area_of

__all__ = ["LEVELS", "EventLog", "Sink"]

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}  # as in the standard library's logging
_IN_THE_LAST_LINE = ("budget_exhausted", "code_unknown", "retries_exhausted")
_INSTANTS = ("at", "until")
_AS_THEY_ARE = ("category", "executed", "retry_safety", "exception")
"""Fields with a few words of ours, from which nothing is to be removed, and one of several lines."""
_PLAIN = (str, int, bool)


class Sink(Protocol):
    """Where lines go: `logging` or structlog."""

    def load(self) -> None:
        """Import what the first line needs."""

    def is_enabled(self, area: str, level: int) -> bool:
        """Return whether lines of a level are written; asked before any other work."""

    def write(self, area: str, level: str, event: str, fields: dict[str, Any]) -> None:
        """Write a line. The fields are printable and have no secrets."""


class EventLog:
    """Writes each event as one line named `resilience.<event>`, with the fields that are set.

    Safe across threads and tasks.
    """

    __slots__ = ("_lines", "_repeats", "_sink")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._repeats = Repeats()
        self._lines = 0

    def load(self) -> None:
        """Import what the first line needs. Cheap once it is done."""
        self._sink.load()

    def wants_event(self, name: str, fields: Mapping[str, Any]) -> bool:
        """Return whether an event with these fields may become a line: an event that nobody wants is not made."""
        if _is_in_another_line(name, fields):
            return False
        return self._sink.is_enabled(area_of(name, fields.get("socket")), LEVELS[level_of(name, fields)])

    def __call__(self, event: Event) -> None:
        """Write one line, unless its level is filtered out, another line stands for it, or it is only counted."""
        area, own_level = area_of(event.name, event.socket), event.level
        if not self._sink.is_enabled(area, LEVELS[own_level]):
            return
        fields = event.fields()
        level = self._count(event, own_level, fields)
        if level is None or (level != own_level and not self._sink.is_enabled(area, LEVELS[level])):
            return
        self._lines += 1
        self._sink.write(area, level, f"resilience.{event.name}", _clean(fields))

    def _count(self, event: Event, level: str, fields: dict[str, Any]) -> str | None:
        """Count an event, add what that changes to the fields of its line, and return the line's level; None: no line.

        What a person can mend repeats until somebody has: only its first line has the remedy, and further ones are of
        level info, but for the tenth, the hundredth and so on.
        """
        if _is_in_another_line(event.name, fields):
            return None
        times = self._repeats.times(event)
        if times > 1:
            fields["times"] = times
        if times == 1:
            return level
        if not is_remedy_line(event):
            return level if times else None
        fields.pop("remedy", None)
        return level if times else "info"

    def dropped(self, listener: object, error: Exception) -> None:
        """Write one line for a listener that raised and was removed, with the class of its error but not the text."""
        self._write("warning", "listener_dropped", listener=_name(listener), caused_by=type(error).__name__)

    def slow(self, listener: object, seconds: float) -> bool:
        """Write one line for a listener that took long for an event: the call that emitted it has waited meanwhile.

        Returns:
            False for the first line of this log, which may have loaded structlog: that is no reason to warn.
        """
        if listener is self and self._lines <= 1:
            return False
        self._write("warning", "listener_slow", listener=_name(listener), duration=seconds)
        return True

    def alerts_failed(self, http_status: int | None, caused_by: str | None) -> None:
        """Write one line for alerts that cannot be sent; the URL of a webhook is a secret."""
        facts = {"http_status": http_status, "caused_by": caused_by}
        self._write("error", "alerts_failed", **{name: fact for name, fact in facts.items() if fact is not None})

    def raised(self, event: str, handler: str, error: BaseException, trace: str = "", times: int = 1) -> None:
        """Write one line for a stream's handler that raised.

        Args:
            event: the event that it was called with.
            handler: its name.
            error: what it raised.
            trace: the traceback as printable text; it is written without secrets.
            times: how often it has raised this error.
        """
        fields: dict[str, Any] = {"handler": handler, "handler_of": event, "caused_by": type(error).__name__}
        if times > 1:
            fields["times"] = times
        if trace:
            fields["exception"] = trace  # the name under which structlog shows a traceback as lines
        self._write("error", "handler_raised", **fields)

    def _write(self, level: str, name: str, **fields: Any) -> None:
        area = area_of(name)
        if self._sink.is_enabled(area, LEVELS[level]):
            self._sink.write(area, level, f"resilience.{name}", _clean(fields))


def _is_in_another_line(name: str, fields: Mapping[str, Any]) -> bool:
    """Return whether another line of the same call says this too; a stream's events belong to no call."""
    if name in _IN_THE_LAST_LINE:
        return fields.get("call") is not None
    return name == "call_failed" and "write_unknown" in (fields.get("also") or ())


def _name(listener: object) -> str:
    return str(getattr(listener, "__qualname__", type(listener).__qualname__))


def _clean(fields: dict[str, Any]) -> dict[str, Any]:
    """Return fields without secrets, printable, numbers rounded to what a person reads."""
    names = [name for name, value in fields.items() if isinstance(value, str) and name not in _AS_THEY_ARE]
    texts = printable_without_secrets([fields[name] for name in names])
    clean = {name: value if type(value) in _PLAIN else _clean_value(name, value) for name, value in fields.items()}
    clean.update(zip(names, texts, strict=True))
    if "exception" in clean:
        clean["exception"] = redact(clean["exception"])  # printable already, but for the ends of its lines
    return clean


def _clean_value(name: str, value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 3) if name in _INSTANTS else _rounded(value)
    if isinstance(value, tuple):  # of `policy_reloaded` and the like, and of names of events
        return [redact_fields(item) if is_mapping(item) else item for item in value]
    return value


def _rounded(number: float) -> float:
    """Return a number of seconds with two decimals, a short one with two digits."""
    return round(number, 2) if abs(number) >= 0.1 else float(f"{number:.2g}")
