"""Emits the events of one operation, if anybody listens. Apart from the plan, which must not refer to itself.

A plan without a cycle is freed with its last reference, and so are the quota windows that only it used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..base.events import Events
from ..stages.breaker import Breaker
from .operation_info import OperationInfo

__all__ = ["OperationEvents"]


class OperationEvents:
    """The events of one operation under one policy. Safe across threads and tasks."""

    __slots__ = ("_breaker", "_events", "_fn", "_names", "_path")

    def __init__(
        self, events: Events, policy: str, info: OperationInfo, breaker: Breaker | None, fn: Callable[..., Any]
    ) -> None:
        """Take the listeners, the names, and the breaker with the function that its listeners get."""
        self._events = events
        self._names = {
            "policy": policy,
            "operation": info.operation,
            "host": info.host,
            "path": info.path if isinstance(info.path, str) else None,
            "socket": info.socket,
        }
        self._path = info.path
        self._breaker = breaker
        self._fn = fn

    def emit(self, name: str, **fields: Any) -> None:
        """Emit an event of this operation if anybody listens."""
        if self._events.listeners:
            fields = {**self._names, **fields}
            if self._events.wants(name, fields):
                self._events.deliver(name, fields)

    def deliver(self, name: str, fields: Mapping[str, Any]) -> None:
        """Deliver an event of this operation that a listener wants; see `Events.wants`."""
        self._events.deliver(name, {**self._names, **fields})

    def emit_success(self, duration: float, attempts: int, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Emit a call that ended well to those who listen to successes."""
        names = self._names
        if callable(self._path):
            names = {**names, "path": self._path(args, kwargs)}
        self._events.emit_success({**names, "duration": duration, "attempts": attempts})

    def emit_breaker_events(self) -> None:
        """Emit the events that the breaker has queued."""
        if self._breaker is not None:
            self._breaker.emit(self.emit, self._fn)
