"""Sends lines through structlog. It is the only importer of structlog.

Where the program has configured structlog, lines go through that configuration. Where it has not, they go to the
standard library's `logging`, and structlog is not even imported: with its console it takes longer than all else that a
first call loads.
"""

from __future__ import annotations

import sys
from typing import Any

from .event_log import LEVELS, EventLog, Sink
from .standard_logging import is_enabled, write

__all__ = ["StructlogListener", "new_event_log"]

_BY_DEFAULT = 30  # without a configuration: warnings and errors, as `logging` does it


def new_event_log(log: object) -> EventLog | None:
    """Return the listener that the argument `log` of `configure`, `Policies` and `Pipeline` asks for; None for no log.

    Args:
        log: True for structlog where it is configured and `logging` where it is not; `"logging"` or `"structlog"` for
            that alone; False for no lines.

    Raises:
        TypeError: `log` is neither a bool nor a string.
        ValueError: `log` is another string.
    """
    if isinstance(log, bool):
        return EventLog(_FollowingSink()) if log else None
    if not isinstance(log, str):
        raise TypeError(f"log takes True, False, 'logging' or 'structlog', not a {type(log).__name__}")
    sinks: dict[str, type[Sink]] = {"logging": _StandardSink, "structlog": _StructlogSink}
    if log not in sinks:
        raise ValueError(f"log takes True, False, 'logging' or 'structlog', not {log!r}")
    return EventLog(sinks[log]())


class StructlogListener(EventLog):
    """A listener that writes each event to structlog as `resilience.<event>`, at its level, with its fields.

    Safe across threads and tasks.

    Example:
        >>> from resilience import Policies
        >>> unsubscribe = Policies.builtin(log=False).subscribe(StructlogListener())
    """

    __slots__ = ()

    def __init__(self, logger: Any = None) -> None:
        """Write to `logger`, a structlog logger; None gets one from structlog for each event."""
        super().__init__(_StructlogSink(logger))


class _StandardSink:
    """Writes to `logging`."""

    def load(self) -> None:
        """Do nothing: `logging` is loaded."""

    def is_enabled(self, area: str, level: int) -> bool:
        return is_enabled(area, level)

    def write(self, area: str, level: str, event: str, fields: dict[str, Any]) -> None:
        write(area, LEVELS[level], event, fields)


class _StructlogSink:
    """Writes by structlog's current configuration, which the program may change at any time.

    Without one, warnings and errors go to stderr, because stdout is the program's own.
    """

    def __init__(self, logger: Any = None) -> None:
        self._logger = logger

    def load(self) -> None:
        self._logger_now()

    def is_enabled(self, _area: str, level: int) -> bool:
        if self._logger is None and not _is_configured():
            return level >= _BY_DEFAULT
        logger = self._logger_now()
        # structlog's native logger and the one over the standard library name this check differently.
        enabled = getattr(logger, "is_enabled_for", None) or getattr(logger, "isEnabledFor", None)
        return enabled is None or bool(enabled(level))

    def write(self, _area: str, level: str, event: str, fields: dict[str, Any]) -> None:
        getattr(self._logger_now(), level)(event, **fields)

    def _logger_now(self) -> Any:
        if self._logger is not None:
            return self._logger.bind()
        import structlog

        if structlog.is_configured():
            return structlog.get_logger("resilience").bind()
        return structlog.wrap_logger(structlog.PrintLogger(sys.stderr)).bind()


class _FollowingSink:
    """Writes to structlog where the program has configured it, else to `logging`."""

    def __init__(self) -> None:
        self._standard, self._structlog = _StandardSink(), _StructlogSink()

    def load(self) -> None:
        self._standard.load()
        if _is_configured():
            self._structlog.load()

    def is_enabled(self, area: str, level: int) -> bool:
        return self._current().is_enabled(area, level)

    def write(self, area: str, level: str, event: str, fields: dict[str, Any]) -> None:
        self._current().write(area, level, event, fields)

    def _current(self) -> Sink:
        return self._structlog if _is_configured() else self._standard


def _is_configured() -> bool:
    """Return whether the program has configured structlog; one that has not imported it has not."""
    structlog: Any = sys.modules.get("structlog")
    # `getattr`: another thread may be importing it at this moment.
    configured = getattr(structlog, "is_configured", None)
    return configured is not None and bool(configured())
