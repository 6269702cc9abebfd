"""Provides transports that follow a script and record their calls."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any, NamedTuple

from .._core.base.abstract_classes import is_awaitable
from .._core.call.context import current_call

__all__ = ["AsyncScriptedTransport", "Call", "ScriptedTransport"]


class Call(NamedTuple):
    """One recorded call to a scripted transport.

    Attributes:
        args: its positional arguments.
        kwargs: its keyword arguments.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


def _is_raised(step: Any) -> bool:
    """Return whether a step is an exception or the class of one."""
    return isinstance(step, BaseException) or (isinstance(step, type) and issubclass(step, BaseException))


class _Script:
    """Plays one step per call, in any number of threads or tasks."""

    def __init__(self, steps: Iterable[Any]) -> None:
        self.calls: list[Call] = []
        self.keys: list[str | None] = []
        self._lock = threading.RLock()  # reentrant: a signal handler may make calls of its own
        self._steps = list(steps)

    @property
    def remaining(self) -> int:
        """The number of steps that have not been played yet."""
        return max(0, len(self._steps) - len(self.calls))

    def _play(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        attempt = current_call()
        with self._lock:
            number = len(self.calls)
            self.calls.append(Call(args, kwargs))
            self.keys.append(attempt.key if attempt is not None else None)
        if number >= len(self._steps):
            raise AssertionError(f"the script has {len(self._steps)} steps, but this is call {number + 1}")
        step = self._steps[number]
        if _is_raised(step):
            raise step
        return step(*args, **kwargs) if callable(step) else step


class ScriptedTransport(_Script):
    """A function that plays one step per call: it returns a value, raises an exception, or calls a callable.

    Safe across threads.

    Attributes:
        calls: the arguments of every call, as `Call(args, kwargs)`.
        keys: the idempotency key of each call, or None where there was none.

    Raises:
        AssertionError: a call found no step left.

    Example:
        >>> send = ScriptedTransport([TimeoutError("slow"), {"code": "00000"}])
        >>> try:
        ...     send("order")
        ... except TimeoutError:
        ...     print(send("order"), len(send.calls))
        {'code': '00000'} 2
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Play the next step."""
        return self._play(args, kwargs)

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """Play the next step; an awaitable that a callable step returns is awaited."""
        played = self._play(args, kwargs)
        return await played if is_awaitable(played) else played


class AsyncScriptedTransport(ScriptedTransport):
    """A `ScriptedTransport` whose call is a coroutine."""

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Play the next step."""
        return await self.acall(*args, **kwargs)
