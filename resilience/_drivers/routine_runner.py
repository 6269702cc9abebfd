"""Runs routines: code that is written once for sync and async callers (`_core/base/routine.py`).

The two runners differ only in `await`. A step costs about a quarter of a microsecond: what every call passes is
written twice instead (`sync.py`, `async_.py`), and everything after a first failure is a routine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from .._core.base.abstract_classes import is_awaitable
from .._core.base.routine import Routine

__all__ = ["routine_function", "run_routine", "run_routine_async"]

T = TypeVar("T")


def routine_function(routine: Callable[..., Routine[T]], *, asynchronous: bool) -> Callable[..., Any]:
    """Return the function that runs what `routine` returns for the same arguments: a sync or an async one."""
    if asynchronous:

        @wraps(routine)
        async def call_async(*args: Any, **kwargs: Any) -> T:
            return await run_routine_async(routine(*args, **kwargs))

        return call_async

    @wraps(routine)
    def call(*args: Any, **kwargs: Any) -> T:
        return run_routine(routine(*args, **kwargs))

    return call


def run_routine(routine: Routine[T]) -> T:
    """Run a routine to its end and return what it returns; errors that it lets through come out unchanged."""
    result: Any = None
    error: BaseException | None = None
    thrown: BaseException | None = None
    try:
        function, args, kwargs = next(routine)
        while True:
            try:
                result = function(*args, **kwargs)
            except BaseException as raised:  # a Ctrl-C as well: the routine cleans up
                error = raised
            if error is None:
                function, args, kwargs = routine.send(result)
            else:  # outside the `except` block, so that later errors of the routine are not chained to this one
                thrown, error = error, None
                function, args, kwargs = routine.throw(thrown)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # typed by Routine
    except RuntimeError as converted:
        # A generator cannot let a StopIteration through, as a function can: Python raises this error from it instead.
        if thrown is not None and converted.__cause__ is thrown and isinstance(thrown, StopIteration):
            raise thrown from None
        raise
    finally:
        # It is over, unless a signal handler has raised between two lines here. The traceback of an error holds this
        # frame: with what is left in it they would be a cycle.
        routine.close()
        result = error = thrown = None


async def run_routine_async(routine: Routine[T]) -> T:
    """Run a routine to its end, awaiting what its functions return; errors come out unchanged."""
    result: Any = None
    error: BaseException | None = None
    thrown: BaseException | None = None
    try:
        function, args, kwargs = next(routine)
        while True:
            try:
                result = function(*args, **kwargs)
                if is_awaitable(result):
                    result = await result
            except BaseException as raised:  # a cancellation as well: the routine cleans up
                error = raised
            if error is None:
                function, args, kwargs = routine.send(result)
            else:
                thrown, error = error, None
                function, args, kwargs = routine.throw(thrown)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # typed by Routine
    finally:
        routine.close()
        result = error = thrown = None
