"""Runs the routines of `slow_path.py` for sync and async callers.

The two runners differ only in `await`. Every local that holds an error is cleared at the end: the error's traceback
holds the frame, and both would be a cycle, which only the garbage collector frees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .._core.base.clock import Clock
from .._core.call.steps import Action
from .attempt_limit import limited
from .loop_end import end_of_loop
from .report_waits import pause_async, pause_sync
from .slot_waits import park_async, park_sync
from .slow_path import SlowPath, Waits

__all__ = ["ASYNC", "SYNC", "carry_out", "carry_out_async"]


def carry_out(routine: SlowPath) -> Any:
    """Run a part of the slow path; return or raise what it ends with."""
    result: Any = None
    error: Any = None
    try:
        function, args, kwargs = next(routine)
        while True:
            try:
                result, error = function(*args, **kwargs), None
            except Exception as raised:
                result, error = None, raised
            function, args, kwargs = routine.send((result, error))
    except StopIteration as end:
        action, result = end.value
    except BaseException as interruption:  # of the function, of a signal handler in between, or out of the routine
        function, args, kwargs = routine.throw(interruption)  # raises it again, unless an answer is to be closed
        function(*args, **kwargs)
        raise
    finally:
        routine.close()
        error = None
    try:
        if action is Action.RETURN:
            return result
        raise result
    finally:
        result = None


async def carry_out_async(routine: SlowPath) -> Any:
    """Run a part of the slow path, awaiting what its functions return; return or raise what it ends with."""
    result: Any = None
    error: Any = None
    try:
        function, args, kwargs = next(routine)
        while True:
            try:
                result, error = await function(*args, **kwargs), None
            except Exception as raised:
                result, error = None, raised
            function, args, kwargs = routine.send((result, error))
    except StopIteration as end:
        action, result = end.value
    except BaseException as interruption:  # a cancellation, the end of the coroutine, or out of the routine
        function, args, kwargs = routine.throw(interruption)
        await function(*args, **kwargs)
        raise
    finally:
        routine.close()
        error = None
    try:
        if action is Action.RETURN:
            return result
        raise result
    finally:
        result = None


def _sleep_sync(clock: Clock, seconds: float) -> None:
    clock.sleep(seconds)


def _sleep_async(clock: Clock, seconds: float) -> Awaitable[None]:
    return clock.asleep(seconds)


def _discard_sync(close: Callable[[Any], Any], answer: Any) -> None:
    try:
        close(answer)
    except Exception:
        pass  # an error while closing changes nothing


async def _discard_async(close: Callable[[Any], Any], answer: Any) -> None:
    try:
        closing = close(answer)  # a client's function may be sync or async
        if closing is not None:
            await closing
    except Exception:
        pass


def _no_loop() -> None:
    return None


SYNC = Waits(pause_sync, _sleep_sync, park_sync, _discard_sync, None, _no_loop)
ASYNC = Waits(pause_async, _sleep_async, park_async, _discard_async, limited, end_of_loop)
