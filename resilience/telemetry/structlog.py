"""Events as structlog lines: one line an event, and never an argument or a body.

structlog is imported with the first event, so a program that is never in trouble never pays for it.
A program that has not configured structlog gets its lines on stderr: stdout is the program's own.
"""

from __future__ import annotations

import sys
from typing import Any

from .._core.base.events import Event
from .redaction import redact, redact_fields

__all__ = ["StructlogListener"]

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}  # the numbers of the standard library's logging


class StructlogListener:
    """Writes `resilience.<event>` at the event's level, with the fields that say something.

    Safe across threads and tasks.

    Example:
        >>> from resilience import Policies
        >>> unsubscribe = Policies.builtin().subscribe(StructlogListener())
    """

    __slots__ = ("_logger",)

    def __init__(self, logger: Any = None) -> None:
        """Write to `logger`, a structlog logger; None asks structlog for one at each event."""
        self._logger = logger

    def __call__(self, event: Event) -> None:
        """Write one line, unless its level is filtered out."""
        logger = self._bound()
        enabled = getattr(logger, "is_enabled_for", None) or getattr(logger, "isEnabledFor", None)
        if enabled is not None and not enabled(_LEVELS[event.level]):
            return
        fields = {name: _clean(value) for name, value in event.fields().items()}
        getattr(logger, event.level)(f"resilience.{event.name}", **fields)

    def dropped(self, listener: object, error: Exception) -> None:
        """Write one line for a listener that raised and hears nothing any more; the error's class, never its text."""
        name = getattr(listener, "__qualname__", type(listener).__qualname__)
        self._bound().warning("resilience.listener_dropped", listener=redact(str(name)), caused_by=type(error).__name__)

    def raised(self, event: str, error: BaseException) -> None:
        """Write one line for a stream's handler that raised; the error's class, never its text."""
        self._bound().error("resilience.handler_raised", handler_of=event, caused_by=type(error).__name__)

    def _bound(self) -> Any:
        """Return the logger with structlog's configuration of this moment."""
        if self._logger is not None:
            return self._logger.bind()
        import structlog

        if structlog.is_configured():
            return structlog.get_logger("resilience").bind()
        return structlog.wrap_logger(structlog.PrintLogger(sys.stderr)).bind()


def _clean(value: Any) -> Any:
    """Return a field without secrets; what a reload tells is a list of mappings."""
    if isinstance(value, tuple):
        return [redact_fields(one) for one in value]
    return redact(value) if isinstance(value, str) else value
