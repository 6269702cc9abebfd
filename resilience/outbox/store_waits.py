"""Waits for an outbox that is busy, such as a file that is locked: in a thread, or without blocking an event loop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf
from typing import Any, TypeVar

from .._core.base.clock import Clock
from .._core.base.routine import Invocation, Routine
from .._core.call.context import current_call
from .._core.call.sleep_watch import DeadlineWatch
from .._drivers.routine_runner import run_routine, run_routine_async
from .._drivers.system_clock import SystemClock, running_trio
from .outbox_store import OutboxBusyError

__all__ = ["LONGEST_WAIT", "AttemptLimit", "TooLateError", "apoll", "in_event_loop", "poll", "poll_now"]

T = TypeVar("T")
LONGEST_WAIT = 10.0  # seconds; where no deadline bounds the wait. A backup tool may hold the file for a while.
_INTERVAL = 0.02  # seconds between two tries


def poll(step: Callable[[], T], clock: Clock, until: float) -> T:
    """Return what `step` returns, repeated while the outbox is busy, up to the instant `until` of the clock."""
    result: T = run_routine(_polling(step, clock, until, clock.sleep))
    return result


async def apoll(step: Callable[[], Any], clock: Clock, until: float) -> Any:
    """Do as `poll`; other tasks run meanwhile. The step may be async."""
    return await run_routine_async(_polling(step, clock, until, clock.asleep))


def _polling(step: Callable[[], Any], clock: Clock, until: float, sleep: Callable[[float], Any]) -> Routine[Any]:
    while True:
        try:
            return (yield Invocation(step))
        except OutboxBusyError:
            if clock.monotonic() + _INTERVAL > until:
                raise
        yield Invocation(sleep, (_INTERVAL,))


def poll_now(step: Callable[[], T]) -> T:
    """Do as `poll` outside any call: up to `LONGEST_WAIT`, and not at all in an event loop, which it would block."""
    clock = SystemClock()
    return poll(step, clock, clock.monotonic() + (0.0 if in_event_loop() else LONGEST_WAIT))


class TooLateError(OSError):
    """The time of an attempt was over when its wait for the outbox ended."""


class AttemptLimit:
    """The time that the attempt under way may spend on the outbox. Made before the wait, used by one thread or task.

    Attributes:
        until: the instant up to which it may wait.
    """

    __slots__ = ("_deadline", "until")

    def __init__(self, clock: Clock) -> None:
        call = current_call()
        left = None if call is None else call.timeout
        now = clock.monotonic()
        self._deadline = DeadlineWatch(clock, inf if left is None else now + left)
        # It ends a little before the attempt's own limit: a refusal says that nothing was sent, and a timeout does not.
        self.until = now + (LONGEST_WAIT if left is None else left - max(2 * _INTERVAL, 0.05 * left))

    def check(self) -> None:
        """Raise a `TooLateError` if the attempt's time is over: the process was stopped, or the disk was slow."""
        if self._deadline.is_over:
            raise TooLateError("the time of the attempt was over when the outbox was written")


def in_event_loop() -> bool:
    """Return whether an event loop runs in this thread, which a wait would block."""
    # Absent while another thread is still importing asyncio, in whose loop nothing can run yet.
    running_loop: Any = getattr(sys.modules.get("asyncio.events"), "_get_running_loop", None)
    return running_trio() is not None or (running_loop is not None and running_loop() is not None)
