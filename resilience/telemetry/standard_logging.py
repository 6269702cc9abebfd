"""Writes lines through the standard library's `logging`, to the logger `resilience` and its children by area.

No handler is added and no level is set: where the lines go, and which, is the program's own configuration. The message
is one line for people. All fields are attributes of the record (`extra`), so that a JSON formatter finds them.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

from .log_lines import line_of

__all__ = ["AREAS", "area_of", "is_enabled", "write"]

AREAS = ("call", "breaker", "stream", "policy")
_LOGGERS = {area: logging.getLogger(f"resilience.{area}") for area in AREAS}
_OF_BREAKERS = ("circuit_", "breaker_")
_OF_POLICIES = ("policy_", "listener_", "alerts_")
_METHODS = logging.Logger.log, logging.Logger._log, logging.Logger.makeRecord


def area_of(event: str, socket: object = None) -> str:
    """Return the area of an event: `call`, `breaker`, `stream` or `policy`."""
    return _area_of(event, socket is not None)


@lru_cache(maxsize=256)
def _area_of(event: str, of_stream: bool) -> str:
    if event.startswith(_OF_BREAKERS):
        return "breaker"
    if event.startswith(_OF_POLICIES):
        return "policy"
    return "stream" if of_stream or event == "handler_raised" else "call"


def is_enabled(area: str, level: int) -> bool:
    """Return whether the program wants lines of this level from this area."""
    return _LOGGERS[area].isEnabledFor(level)


def write(area: str, level: int, event: str, fields: dict[str, Any]) -> None:
    """Write a line to the logger of an area; its record gets the fields, and the event's name among them."""
    message = line_of(event.removeprefix("resilience."), fields)
    if "exception" in fields:
        message = f"{message}\n{fields['exception']}"
    logger, kind = _LOGGERS[area], type(_LOGGERS[area])
    facts = {**fields, "event": event}
    # A class of the program's own may have more to do, and so may methods that are set on that of `logging`.
    if kind is not logging.Logger or (kind.log, kind._log, kind.makeRecord) != _METHODS:
        logger.log(level, message, extra=facts)
        return
    # What `logger.log` does, but for the search for the frame that logs, which is always this one, and for a check of
    # each name: none of ours is one of the record's own.
    line = write.__code__.co_firstlineno
    record = logger.makeRecord(logger.name, level, __file__, line, message, (), None, "write")
    record.__dict__.update(facts)
    logger.handle(record)
