"""Runs custom stages before, around and after each attempt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from .._core.base.routine import Routine
from .._core.call.attempt_gate import EXPIRED
from .._core.call.context import CONTEXT, CallContext
from .._core.call.plan import Plan
from .._core.call.sleep_watch import DeadlineWatch
from .._core.call.stage import Entered, Stage, has_around, run_before, run_settle
from .._core.call.stage_around import staged_attempt
from .._drivers.routine_runner import run_routine, run_routine_async
from ..errors import DeadlineExceededError
from .callables import is_async

__all__ = ["add_stages"]


def add_stages(
    plan: Plan, fn: Callable[..., Any], stages: Sequence[Stage], *, asynchronous: bool
) -> Callable[..., Any]:
    """Return `fn` with custom stages around each attempt.

    Raises:
        TypeError: the `around` of a stage is async where the function is not, or the other way round.
    """
    around = [stage for stage in stages if has_around(stage)]
    for stage in around:
        _check(stage, asynchronous=asynchronous)
    if not around:
        return _stage_async(plan, fn, stages) if asynchronous else _stage_sync(plan, fn, stages)
    new_send = _new_send_async if asynchronous else _new_send
    attempt = partial(
        staged_attempt,
        stages,
        fn,
        new_send=new_send,
        new_watch=partial(_new_watch, plan),
        inspect=plan.inspect_result,
        is_read=plan.info.read,
    )
    if not asynchronous:
        return lambda *args, **kwargs: run_routine(attempt(args, kwargs))

    async def staged(*args: Any, **kwargs: Any) -> Any:
        return await run_routine_async(attempt(args, kwargs))

    return staged


def _check(stage: Stage, *, asynchronous: bool) -> None:
    if is_async(stage.around) is asynchronous:
        return
    name = f"{type(stage).__name__}.around()"
    if asynchronous:
        raise TypeError(f"{name} is not async, so it cannot be around an async function: write `async def around`")
    raise TypeError(f"{name} is async, so it cannot be around a function that is not: write `def around`")


def _new_send(new_routine: Callable[[], Routine[Any]]) -> Callable[[], Any]:
    return lambda: run_routine(new_routine())


def _new_send_async(new_routine: Callable[[], Routine[Any]]) -> Callable[[], Any]:
    async def send() -> Any:
        return await run_routine_async(new_routine())

    return send


def _new_watch(plan: Plan) -> Callable[[], Exception | None]:
    """Return what says whether the call's deadline has passed since now: the rejection of the attempt, or None.

    A stage may wait, and the machine may sleep meanwhile.
    """
    deadline = DeadlineWatch(plan.clock, CallContext(*CONTEXT.get()).deadline)
    return lambda: plan.new_rejection(DeadlineExceededError, EXPIRED) if deadline.is_over else None


def _enter(plan: Plan, stages: Sequence[Stage]) -> Entered:
    """Ask the stages whether the attempt may be sent, and return the call and those that let it through.

    Raises:
        DeadlineExceededError: a stage has waited until after the deadline, or the machine slept meanwhile.
    """
    watch = _new_watch(plan)
    call, entered = run_before(stages)
    rejection = watch()
    if rejection is not None:
        run_settle(call, entered, rejection)
        raise rejection
    return call, entered


# Written twice, and not as a routine: a stage without `around` should cost an attempt little.


def _stage_sync(plan: Plan, fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    def staged(*args: Any, **kwargs: Any) -> Any:
        call, entered = _enter(plan, stages)
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            run_settle(call, entered, error)
            raise
        run_settle(call, entered, None)
        return result

    return staged


def _stage_async(plan: Plan, fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    async def staged(*args: Any, **kwargs: Any) -> Any:
        call, entered = _enter(plan, stages)
        try:
            result = await fn(*args, **kwargs)
        except BaseException as error:
            run_settle(call, entered, error)
            raise
        run_settle(call, entered, None)
        return result

    return staged
