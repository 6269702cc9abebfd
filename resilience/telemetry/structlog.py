"""Writes events as structlog lines: one line per event, without arguments and bodies, and with printable values.

structlog is imported when policies are put in force, so that no failure has to wait for it. A program that has
not configured structlog gets its lines on stderr, because stdout is the program's own, without those of level debug.
"""

from __future__ import annotations

import sys
from typing import Any

from .._core.base.events import Event
from .._printable import printable
from .redaction import redact, redact_fields

__all__ = ["StructlogListener"]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}  # as in the standard library's logging


class StructlogListener:
    """Writes `resilience.<event>` at the event's level, with the fields that are set.

    Safe across threads and tasks.

    Example:
        >>> from resilience import Policies
        >>> unsubscribe = Policies.builtin().subscribe(StructlogListener())
    """

    __slots__ = ("_logger",)

    def __init__(self, logger: Any = None) -> None:
        """Write to `logger`, a structlog logger; None gets one from structlog for each event."""
        self._logger = logger

    def load(self) -> None:
        """Import what the first line needs."""
        if self._logger is None:
            self._logger_now()

    def __call__(self, event: Event) -> None:
        """Write one line, unless its level is filtered out."""
        if event.level == "debug" and not self._writes_debug():
            return
        logger = self._logger_now()
        # structlog's native logger and the one over the standard library name this check differently.
        enabled = getattr(logger, "is_enabled_for", None) or getattr(logger, "isEnabledFor", None)
        if enabled is not None and not enabled(_LEVELS[event.level]):
            return
        fields = {name: _redacted(value) for name, value in event.fields().items()}
        getattr(logger, event.level)(f"resilience.{event.name}", **fields)

    def dropped(self, listener: object, error: Exception) -> None:
        """Write one line for a listener that raised and was removed, with the class of its error but not the text."""
        logger = self._logger_now()
        logger.warning("resilience.listener_dropped", listener=_name(listener), caused_by=type(error).__name__)

    def slow(self, listener: object, seconds: float) -> None:
        """Write one line for a listener that took long for an event: the call that emitted it has waited meanwhile."""
        self._logger_now().warning("resilience.listener_slow", listener=_name(listener), duration=round(seconds, 3))

    def raised(self, event: str, handler: str, error: BaseException, trace: str = "", times: int = 1) -> None:
        """Write one line for a stream's handler that raised.

        Args:
            event: the event that it was called with.
            handler: its name.
            error: what it raised.
            trace: the traceback as text; it is written without secrets.
            times: how often it has raised this error.
        """
        fields: dict[str, Any] = {"handler": redact(handler), "handler_of": event, "caused_by": type(error).__name__}
        if times > 1:
            fields["times"] = times
        if trace:
            fields["exception"] = redact(trace)  # the name under which structlog shows a traceback as lines
        self._logger_now().error("resilience.handler_raised", **fields)

    def _writes_debug(self) -> bool:
        """Return whether debug lines were asked for: without a configuration structlog would write all of them."""
        structlog: Any = sys.modules.get("structlog")  # who has not imported it has not configured it
        return self._logger is not None or (structlog is not None and structlog.is_configured())

    def _logger_now(self) -> Any:
        """Return a logger by structlog's current configuration, which the program may change at any time."""
        if self._logger is not None:
            return self._logger.bind()
        import structlog

        if structlog.is_configured():
            return structlog.get_logger("resilience").bind()
        return structlog.wrap_logger(structlog.PrintLogger(sys.stderr)).bind()


def _name(listener: object) -> str:
    name = getattr(listener, "__qualname__", type(listener).__qualname__)
    return str(_redacted(str(name)))


def _redacted(value: Any) -> Any:
    """Return a field without secrets, printable; the tuples of `policy_reloaded` and the like hold mappings."""
    if isinstance(value, tuple):
        return [redact_fields(mapping) for mapping in value]
    return printable(redact(value)) if isinstance(value, str) else value
