"""Events as structlog lines: one line an event, and never an argument or a body.

structlog is imported with the first event, so a program that is never in trouble never pays for it.
"""

from __future__ import annotations

import logging
from typing import Any

from .._core.events import Event
from .redaction import redact

__all__ = ["StructlogListener"]

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class StructlogListener:
    """Writes `resilience.<event>` at the event's level, with the fields that say something.

    Safe across threads and tasks.

    Example:
        >>> from resilience import Policies
        >>> unsubscribe = Policies.builtin().subscribe(StructlogListener())
    """

    __slots__ = ("_logger",)

    def __init__(self, logger: Any = None) -> None:
        """Write to `logger`, a structlog logger; None asks structlog for one at the first event."""
        self._logger = logger

    def __call__(self, event: Event) -> None:
        """Write one line, unless its level is filtered out."""
        logger = self._bound()
        enabled = getattr(logger, "is_enabled_for", None) or getattr(logger, "isEnabledFor", None)
        if enabled is not None and not enabled(_LEVELS[event.level]):
            return
        fields = {k: redact(v) if isinstance(v, str) else v for k, v in event.fields().items()}
        getattr(logger, event.level)(f"resilience.{event.name}", **fields)

    def _bound(self) -> Any:
        """Return the logger with structlog's configuration of this moment."""
        if self._logger is None:
            import structlog

            self._logger = structlog.get_logger("resilience")
        return self._logger.bind() if hasattr(self._logger, "bind") else self._logger
