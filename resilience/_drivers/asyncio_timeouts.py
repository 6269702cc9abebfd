"""Enforces the time limits of async attempts under asyncio, with one timer per event loop.

A limit that is not reached costs no timer. An attempt enters its limit into a mapping and removes it at its end. The
loop's one timer wakes at the earliest limit that it knows of, cancels the attempts that are due, and is set to the next
limit. A cancellation means what it means to `asyncio.timeout`: the attempt counts as timed out only where nothing else
has cancelled its task meanwhile.

asyncio is imported when the first limit is set.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from threading import local
from typing import TYPE_CHECKING, Any
from weakref import ref

from .system_clock import SystemClock, running_trio

if TYPE_CHECKING:
    import asyncio

__all__ = ["TimeLimit", "begin", "innermost_limit"]

_TOLERANCE = 1e-6  # seconds; limits this close to each other are due together, and a timer may wake this early
_MIN_ENDED = 64  # ended limits are removed from the heap when they are more than these and more than half of it


class TimeLimit:
    """The time limit of one attempt. Belongs to the task that set it.

    Attributes:
        task: the task that it cancels; None when the attempt has ended.
        cancelling: the task's pending cancellation requests when the limit was set.
        until: the instant of the limit.
        reached: whether it has cancelled the task.
        owner: the limits of its loop.
    """

    __slots__ = ("cancelling", "owner", "reached", "task", "until")

    task: asyncio.Task[Any] | None
    cancelling: int
    until: float
    reached: bool
    owner: LoopTimeLimits

    def cancel(self) -> None:
        """Cancel the attempt if it still runs and its limit has not moved on."""
        if self.task is not None and not self.reached and self.until <= self.owner.now() + _TOLERANCE:
            self.reached = True
            self.task.cancel()

    def move_to(self, until: float) -> None:
        """Set the limit of an attempt that still runs to another instant."""
        if self.task is None or self.reached:
            return
        self.until = until
        # Once more, in case the timer has met it already: the heap drops what it has twice, see `_on_timer`.
        self.owner.new[self] = None
        if until < self.owner.wakes_at:
            self.owner.wake(until)

    def end(self, error: BaseException | None = None) -> bool:
        """Remove the limit; return whether `error` is the cancellation by this limit and by nothing else.

        A second call changes nothing and returns False.
        """
        task = self.task
        if task is None:
            return False
        self.task = None
        if not self.reached:
            # Not in `new` any more: it is in the heap. Where it is neither (due, and about to cancel), it is counted
            # although it has left the heap, and at most one sweep comes too early.
            if self.owner.new.pop(self, self) is self:
                self.owner.ended += 1
            return False
        # `uncancel` takes our request back. A count above that at the start means that the owner cancelled it too.
        ours = task.uncancel() <= self.cancelling
        return ours and isinstance(error, _asyncio.CancelledError)


class LoopTimeLimits:
    """The time limits of one loop: new ones unsorted, and in a heap those that the timer has met once.

    Attributes:
        loop: a weak reference, so that a closed loop is not kept alive.
        new: the limits that the timer has not met yet.
        wakes_at: when the timer wakes; infinite where it is not set.
        ended: how many limits in the heap have ended.
        now: returns the time of the limits.
    """

    __slots__ = ("_heap", "_next", "_timer", "ended", "loop", "new", "now", "wakes_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = ref(loop)
        self.new: dict[TimeLimit, None] = {}
        self.wakes_at = inf
        self.ended = 0
        # Beside a standard loop the limits go by the machine's clock, which need not be read for them, see `begin`.
        is_standard = getattr(loop.time, "__func__", None) is _asyncio.BaseEventLoop.time
        self.now: Callable[[], float] = SystemClock.monotonic if is_standard else loop.time
        self._heap: list[tuple[float, int, TimeLimit]] = []
        self._next = count().__next__  # breaks ties in the heap: limits cannot be compared
        self._timer: asyncio.TimerHandle | None = None

    def last_of(self, task: asyncio.Task[Any]) -> TimeLimit | None:
        """Return the limit of a task that was set last."""
        met = [limit for _, _, limit in sorted(self._heap, key=_order_of_entry)]
        return next((limit for limit in reversed([*met, *self.new]) if limit.task is task), None)

    def wake(self, when: float) -> None:
        """Set the timer to an earlier instant."""
        loop = self.loop()
        assert loop is not None  # it runs this
        if self._timer is not None:
            self._timer.cancel()
        self.wakes_at = when
        self._timer = loop.call_at(loop.time() + (when - self.now()), self._on_timer)

    def _on_timer(self) -> None:
        """Cancel the attempts that are due, each in its own step of the loop, and set the timer to the next limit."""
        loop = self.loop()
        assert loop is not None
        self._timer, self.wakes_at, due = None, inf, self.now() + _TOLERANCE
        for limit in self.new:
            heappush(self._heap, (limit.until, self._next(), limit))
        self.new.clear()
        while self._heap and (self._heap[0][0] <= due or self._heap[0][2].task is None):
            limit = heappop(self._heap)[2]
            if limit.task is None:
                self.ended -= 1
            elif limit.until <= due:  # else it has moved on, and is in the heap a second time
                # Not at once: an attempt whose answer has arrived in this step of the loop still ends with it.
                loop.call_soon(limit.cancel)
        self._sweep()
        if self._heap:
            self.wake(self._heap[0][0])

    def _sweep(self) -> None:
        if self.ended > _MIN_ENDED and 2 * self.ended > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].task is not None]
            heapify(self._heap)
            self.ended = 0


def _order_of_entry(entry: tuple[float, int, TimeLimit]) -> int:
    return entry[1]


class _ThreadState(local):
    """The limits of the loop that this thread ran last."""

    limits: LoopTimeLimits | None = None


_THREAD = _ThreadState()


def begin(until: float, started: float = 0.0, now: Callable[[], float] | None = None) -> TimeLimit | None:
    """Set a time limit for the task that runs this; its `end` removes it. Returns None under trio.

    Args:
        until: the instant of the limit; without the other arguments, the seconds until then.
        started: the present instant.
        now: the clock of both. Where the limits go by the same clock, it is not read again.

    Raises:
        RuntimeError: no task runs this.
    """
    loop = _get_running_loop()
    task = None if loop is None else _current_task(loop)
    if task is None:
        if running_trio() is None:
            raise RuntimeError("a call with a time limit must be awaited by a task")
        return None
    limits = _THREAD.limits
    if limits is None or limits.loop() is not loop:
        limits = _THREAD.limits = LoopTimeLimits(loop)
    limit = TimeLimit()  # without a constructor, whose call would cost more than all of this
    limit.task, limit.reached, limit.owner, limit.cancelling = task, False, limits, task.cancelling()
    limit.until = when = until if now is limits.now else limits.now() + (until - started)
    limits.new[limit] = None
    if when < limits.wakes_at:
        limits.wake(when)
    return limit


def innermost_limit() -> TimeLimit | None:
    """Return the limit that the running task has set last and that is still in force, or None."""
    loop = _get_running_loop()
    task = None if loop is None else _current_task(loop)
    limits = _THREAD.limits
    if task is None or limits is None or limits.loop() is not loop:
        return None
    return limits.last_of(task)


def _import_asyncio() -> Any:
    """Return asyncio's running loop, or None. Replaces itself by asyncio's own function, unless trio runs this."""
    global _asyncio, _get_running_loop, _current_task
    if running_trio() is not None:
        return None
    import asyncio as _asyncio

    _get_running_loop, _current_task = _asyncio._get_running_loop, _asyncio.current_task
    return _get_running_loop()


_asyncio: Any = None
_get_running_loop: Callable[[], Any] = _import_asyncio
_current_task: Any = None
