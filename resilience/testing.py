"""Doubles for tests of code that uses this library: a clock that never waits and a transport that follows a script.

Nothing here sleeps and nothing here looks at the wall clock. The pytest fixtures `resilience_clock`
and `resilience_events` come with the package; no import is needed for them.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from ._clock import SystemClock, checkpoint
from ._core.events import Event, Listener

__all__ = ["AsyncScriptedTransport", "Call", "FakeClock", "ScriptedTransport", "no_waits", "recorded_events"]


class FakeClock:
    """A clock that moves only when told to; a sleep returns at once, moves it and is recorded.

    Safe across threads and tasks. All sleepers share the one time: two tasks that sleep one second
    each move it by two.

    Attributes:
        sleeps: the seconds of every sleep, in order.

    Example:
        >>> clock = FakeClock()
        >>> clock.sleep(1.5)
        >>> clock.monotonic(), clock.sleeps
        (1.5, [1.5])
    """

    def __init__(self, start: float = 0.0, wall: float = 1_700_000_000.0) -> None:
        """Begin at `start` monotonic seconds, which is `wall` in Unix time."""
        self.sleeps: list[float] = []
        self._lock = threading.Lock()
        self._now = float(start)
        self._wall = float(wall) - self._now

    def monotonic(self) -> float:
        """Return the seconds since the clock's own beginning."""
        return self._now

    def time(self) -> float:
        """Return Unix time; it moves together with the monotonic time."""
        return self._wall + self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward without recording a sleep.

        Raises:
            ValueError: the time would step back.
        """
        if not seconds >= 0:
            raise ValueError(f"a clock moves forward only, got {seconds!r} seconds")
        with self._lock:
            self._now += seconds

    def step_wall(self, seconds: float) -> None:
        """Set the Unix time forward or back, as an operator or a time server does; monotonic time stays."""
        with self._lock:
            self._wall += seconds

    def sleep(self, seconds: float) -> None:
        """Record the sleep, move the clock and return at once."""
        self.advance(seconds)
        self.sleeps.append(seconds)

    async def asleep(self, seconds: float) -> None:
        """Do as `sleep` does, and let other tasks run once (asyncio and trio alike)."""
        self.sleep(seconds)
        await checkpoint()


class Call(NamedTuple):
    """The arguments of one call to a scripted transport."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class _Script:
    """Steps played one a call, by any number of threads or tasks."""

    def __init__(self, steps: Iterable[Any]) -> None:
        self.calls: list[Call] = []
        self._lock = threading.Lock()
        self._steps = list(steps)

    @property
    def remaining(self) -> int:
        """Tell how many steps were not played yet."""
        return max(0, len(self._steps) - len(self.calls))

    def _play(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self._lock:
            number = len(self.calls)
            self.calls.append(Call(args, kwargs))
        if number >= len(self._steps):
            raise AssertionError(f"the script has {len(self._steps)} steps, but this is call {number + 1}")
        step = self._steps[number]
        if isinstance(step, BaseException) or (isinstance(step, type) and issubclass(step, BaseException)):
            raise step
        return step(*args, **kwargs) if callable(step) else step


class ScriptedTransport(_Script):
    """A function that plays one step a call: a value is returned, an exception is raised, a callable is called.

    Safe across threads.

    Attributes:
        calls: the arguments of every call, as `Call(args, kwargs)`.

    Raises:
        AssertionError: it is called more often than it has steps.

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
        """Play the next step as a coroutine; what a callable step returns is awaited if it can be."""
        played = self._play(args, kwargs)
        return await played if inspect.isawaitable(played) else played


class AsyncScriptedTransport(ScriptedTransport):
    """A `ScriptedTransport` whose call is a coroutine."""

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Play the next step."""
        return await self.acall(*args, **kwargs)


class _Subscribable(Protocol):
    def subscribe(self, listener: Listener, /) -> Callable[[], None]: ...


@contextmanager
def recorded_events(policies: _Subscribable | None = None) -> Iterator[list[Event]]:
    """Give a list that fills with the events of `policies`, or of the configured ones when None is given.

    Example:
        >>> from resilience import Policies
        >>> with recorded_events(Policies.builtin()) as events:
        ...     pass
        >>> [event.name for event in events]
        []
    """
    if policies is None:
        from . import _policies

        policies = _policies.current()
    events: list[Event] = []
    unsubscribe = policies.subscribe(events.append)
    try:
        yield events
    finally:
        unsubscribe()


@contextmanager
def no_waits() -> Iterator[None]:
    """Let every wait on the real clock return at once, in all threads and tasks.

    Time itself does not move: a test of deadlines, breakers, quotas or fences takes a `FakeClock`.
    """
    with _SKIPPING:
        SystemClock.skipping += 1
    try:
        yield
    finally:
        with _SKIPPING:
            SystemClock.skipping -= 1


_SKIPPING = threading.Lock()
