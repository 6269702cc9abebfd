"""Writes lines through the standard library's `logging`, to the logger `resilience` and its children by area.

No handler is added and no level is set: where the lines go, and which, is the program's own configuration. The message
is one line for people. All fields are attributes of the record (`extra`), so that a JSON formatter finds them.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from .log_lines import line_of

__all__ = ["AREAS", "area_of", "is_enabled", "standard_logger", "to_record"]

AREAS = ("call", "breaker", "stream", "policy")
_LOGGERS = {area: logging.getLogger(f"resilience.{area}") for area in AREAS}
_OF_BREAKERS = ("circuit_", "breaker_")
_OF_POLICIES = ("policy_", "listener_", "alerts_")


def area_of(event: str, socket: object = None) -> str:
    """Return the area of an event: `call`, `breaker`, `stream` or `policy`."""
    if event.startswith(_OF_BREAKERS):
        return "breaker"
    if event.startswith(_OF_POLICIES):
        return "policy"
    return "stream" if socket is not None or event == "handler_raised" else "call"


def is_enabled(area: str, level: int) -> bool:
    """Return whether the program wants lines of this level from this area."""
    return _LOGGERS[area].isEnabledFor(level)


def standard_logger(area: str) -> logging.Logger:
    """Return the standard logger of an area."""
    return _LOGGERS[area]


def to_record(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> tuple[tuple[str], dict[str, Any]]:
    """Return the arguments for a method of a standard logger: a processor for structlog, the last one."""
    message = line_of(fields["event"].removeprefix("resilience."), fields)
    if "exception" in fields:
        message = f"{message}\n{fields['exception']}"
    return (message,), {"extra": fields}
