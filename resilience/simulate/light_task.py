"""Runs a coroutine on a virtual loop as a task of asyncio does, for a fraction of the cost.

A task of asyncio waits by a future, which makes a callback of the loop, which wakes the task: three objects and two
turns of the loop. A light task that waits for a time is itself the entry in the loop's heap. `asyncio.current_task`
returns it, and it has what `asyncio.timeout` and the time limits of attempts need: cancellation, counted as in asyncio.
"""

from __future__ import annotations

import asyncio
from asyncio import CancelledError
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from heapq import heappush
from typing import Any

__all__ = ["LightTask"]

# For those who extend asyncio: they set what `asyncio.current_task` returns, which may be of any type.
_enter_task: Callable[[Any, Any], None] = asyncio._enter_task
_leave_task: Callable[[Any, Any], None] = asyncio._leave_task


class LightTask:
    """One coroutine on a virtual loop. An error that it raises goes to the loop's exception handler.

    Attributes:
        timer: the number of its entry in the loop's heap; 0 while it does not wait for a time.
    """

    __slots__ = (
        "__weakref__", "_cancelling", "_coroutine", "_error", "_loop", "_next_number", "_ready", "_run", "_send",
        "_timers", "_waits_for", "timer",
    )  # fmt: skip

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, None],
        loop: Any,
        timers: list[Any],
        ready: deque[Any],
        next_number: Callable[[], int],
    ) -> None:
        """Begin nothing: `step` does.

        Args:
            coroutine: what it runs.
            loop: the loop.
            timers: the loop's heap of (instant, number, what is due).
            ready: what the loop runs next.
            next_number: returns the number of the next entry, from 1.
        """
        self._coroutine: Any = coroutine
        self._send, self._run = coroutine.send, copy_context().run
        self._loop, self._timers, self._ready, self._next_number = loop, timers, ready, next_number
        self._cancelling = 0
        self._error: Any = None  # what its next step raises where it waits
        self._waits_for: Any = None
        self.timer = 0

    def step(self, _future: Any = None) -> None:
        """Run the coroutine to its next wait: for a time, which it yields as a float, for a future, or for a turn."""
        loop = self._loop
        error = self._error
        self.timer, self._waits_for, self._error = 0, None, None
        _enter_task(loop, self)
        try:
            waits_for = self._run(self._send, None) if error is None else self._run(self._coroutine.throw, error)
        except (StopIteration, CancelledError):
            self._coroutine = None
            return
        except BaseException as raised:
            self._end_with(raised)
            return
        finally:
            _leave_task(loop, self)
            error = None  # its traceback holds this frame: without this they would be a cycle
        if waits_for.__class__ is float:
            self.timer = number = self._next_number()
            heappush(self._timers, (waits_for, number, self))
        else:
            self._wait_for(waits_for)
        if self._error is not None:  # cancelled by the coroutine itself, before it came to wait
            self._interrupt()

    def _wait_for(self, future: Any) -> None:
        if getattr(future, "_asyncio_future_blocking", False):
            future._asyncio_future_blocking = False  # says that what it was yielded to understands it
            self._waits_for = future
            future.add_done_callback(self.step)
            return
        if future is not None:  # `asyncio.sleep(0)` yields None
            self._error = RuntimeError(f"a simulated request cannot wait for {future!r}, which is not of asyncio")
        self._ready.append(self)

    def _end_with(self, error: BaseException) -> None:
        self._coroutine = None
        if isinstance(error, (SystemExit, KeyboardInterrupt)):  # as in asyncio, these end the loop
            raise error
        self._loop.call_exception_handler({"message": "exception in a light task", "exception": error})

    def cancel(self, _message: Any = None) -> bool:
        """Ask the coroutine to end: raise `CancelledError` where it waits. Returns whether it still runs."""
        if self._coroutine is None:
            return False
        self._cancelling += 1
        self._error = CancelledError()
        self._interrupt()
        return True

    def _interrupt(self) -> None:
        if self._waits_for is not None:
            if self._waits_for.cancel():  # the future's own error is what its waiter gets
                self._error = None
        elif self.timer:
            self.timer = 0  # the entry in the heap no longer counts
            self._ready.append(self)

    def cancelling(self) -> int:
        """Return how many requests to cancel are pending."""
        return self._cancelling

    def uncancel(self) -> int:
        """Take one request to cancel back; return how many are left."""
        if self._cancelling:
            self._cancelling -= 1
        return self._cancelling

    def done(self) -> bool:
        """Return whether the coroutine has ended."""
        return self._coroutine is None

    def get_coro(self) -> Any:
        """Return the coroutine; None when it has ended."""
        return self._coroutine

    def get_name(self) -> str:
        """Return a name, for log records."""
        return "simulated request"
