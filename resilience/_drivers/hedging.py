"""Starts further attempts beside a slow first one and returns the first success (hedging).

Each hedged attempt is a whole call of its own, with retries, breaker and quota. All of them share one deadline and
one idempotency key. What is decided is in `_core/stages/hedge.py`.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable
from math import inf
from typing import Any

from .._core.call.context import CONTEXT, CallContext, inherited
from .._core.call.plan import Plan
from .._core.call.sleep_watch import DeadlineWatch
from .._core.classify.attach import attach_failure, attached_failure
from .._core.stages.hedge import Race
from .system_clock import running_trio

__all__ = ["race_async", "race_sync"]


def _new_context(plan: Plan) -> list[Any]:
    """Return a context that gives all attempts of a race one deadline."""
    outer = inherited()
    started = plan.clock.monotonic()
    deadline = started + plan.deadline
    if outer is not None:
        # Two clocks may differ, so the outer deadline is converted by the time that is left until it.
        deadline = min(deadline, started + outer.deadline - outer.owner.clock.monotonic())
    in_lookup = outer is not None and outer.in_lookup
    return list(CallContext(plan, deadline, inf, None, None, attempt=0, in_lookup=in_lookup))


def _deadline_watch(plan: Plan, context: list[Any]) -> Callable[[], bool]:
    watch = DeadlineWatch(plan.clock, CallContext(*context).deadline)
    return lambda: watch.is_over


def _as_final(error: BaseException, outer: Any) -> BaseException:
    """Return the error of a race, marked so that an outer call sees that this one has given up and does not retry."""
    failure = attached_failure(error)
    if failure is not None:
        attach_failure(error, failure, outer)
    return error


async def race_async(plan: Plan, race: Race, attempt: Callable[[], Any]) -> tuple[Any, Any]:
    """Return the result of the first attempt that succeeds, or else the call's error; the losers are cancelled."""
    outer, context = CONTEXT.get(), _new_context(plan)
    try:
        CONTEXT.set(context)
        race.is_late = _deadline_watch(plan, context)
        run = _race_asyncio if running_trio() is None else _race_trio
        result, error = await run(plan, race, attempt)
        return result, None if error is None else _as_final(error, outer)
    finally:
        error = None  # the error's traceback may hold this frame
        try:
            context.clear()
        finally:
            if CONTEXT.get() is context:  # else it ends in another task's context, which is left alone
                CONTEXT.set(outer)


async def _race_asyncio(plan: Plan, race: Race, attempt: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Return the first result; where every attempt has failed, the first attempt's error."""
    import asyncio

    attempts: list[Any] = [asyncio.ensure_future(attempt())]
    timer: Any = asyncio.ensure_future(plan.clock.asleep(race.delay))
    try:
        while True:
            pending = _pending([*attempts, timer])
            if pending:
                await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            outcome = _outcome_of(plan, attempts)
            if outcome is not None:
                return outcome
            if timer is not None and timer.done():
                started = race.start_hedge()
                if started:
                    attempts.append(asyncio.ensure_future(attempt()))
                timer = asyncio.ensure_future(plan.clock.asleep(race.delay)) if started and race.has_more else None
    finally:
        outcome = None  # its error's traceback holds this frame
        await _end(_pending([*attempts, timer]))


def _pending(tasks: list[Any]) -> set[Any]:
    return {task for task in tasks if task is not None and not task.done()}


def _outcome_of(plan: Plan, attempts: list[Any]) -> tuple[Any, Exception | None] | None:
    """Return the result or the error with which the race ends; None while it goes on."""
    ended = [task for task in attempts if task.done()]
    results = [task.result() for task in ended if task.exception() is None]
    if results:
        return results[0], None
    errors = [task.exception() for task in ended]
    steering = next((error for error in errors if plan.control_flow.includes(error)), None)
    return (None, steering or errors[0]) if steering is not None or len(errors) == len(attempts) else None


async def _end(pending: set[Any]) -> None:
    """Cancel what still runs: no attempt outlives the call, each releases its permits before the caller goes on."""
    import asyncio

    for task in pending:
        task.cancel()
    if pending:
        await asyncio.gather(*pending, return_exceptions=True)


async def _race_trio(plan: Plan, race: Race, attempt: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Return the first result; where every attempt has failed, the first attempt's error."""
    trio: Any = running_trio()
    outcomes: list[tuple[int, Any, Exception | None]] = []
    changed = [trio.Event()]  # a trio event cannot be cleared, so each wait gets a new one
    due = [False]

    def is_end(error: Exception | None) -> bool:
        return error is None or plan.control_flow.includes(error)

    async def run(number: int) -> None:
        try:
            outcomes.append((number, await attempt(), None))
        except Exception as error:
            outcomes.append((number, None, error))
        changed[0].set()

    async def run_timer() -> None:
        await plan.clock.asleep(race.delay)
        due[0] = True
        changed[0].set()

    async with trio.open_nursery() as nursery:
        started = 1
        nursery.start_soon(run, 0)
        nursery.start_soon(run_timer)
        while not any(is_end(error) for _, _, error in outcomes) and len(outcomes) < started:
            await changed[0].wait()
            changed[0] = trio.Event()
            if due[0] and len(outcomes) < started:
                due[0] = False
                if race.start_hedge():
                    nursery.start_soon(run, started)
                    started += 1
                    if race.has_more:
                        nursery.start_soon(run_timer)
        nursery.cancel_scope.cancel()
    results = [value for _, value, error in outcomes if error is None]
    if results:
        return results[0], None
    steering = next((error for _, _, error in outcomes if is_end(error)), None)
    return None, steering or min(outcomes)[2]


def race_sync(plan: Plan, race: Race, attempt: Callable[[], Any]) -> tuple[Any, Any]:
    """Return the result of the first attempt that succeeds, or else the call's error; all run in threads.

    A losing attempt keeps running; its result is discarded.
    """
    outer, context = CONTEXT.get(), _new_context(plan)
    try:
        CONTEXT.set(context)
        race.is_late = _deadline_watch(plan, context)
        result, error = _race_threads(plan, race, attempt)
        return result, None if error is None else _as_final(error, outer)
    finally:
        error = None
        try:
            context.clear()
        finally:
            CONTEXT.set(outer)


def _race_threads(plan: Plan, race: Race, attempt: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    """Return the first result; where every attempt has failed, the first attempt's error."""
    outcomes: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()

    # Each attempt has a context of its own: one that has lost still has the deadline when the race has ended.
    race_context = tuple(CONTEXT.get())

    def run(number: int) -> None:
        context = list(race_context)
        CONTEXT.set(context)
        try:
            outcomes.put((number, attempt(), None))
        except BaseException as error:  # any error must end the wait for this attempt
            outcomes.put((number, None, error))
        finally:
            context.clear()

    def start(number: int) -> None:
        context = contextvars.copy_context()  # a thread begins with an empty context
        name = f"hedge {plan.operation} {number}"
        threading.Thread(target=context.run, args=(run, number), name=name, daemon=True).start()

    started, errors = 1, dict[int, BaseException]()
    start(0)
    while len(errors) < started:
        try:
            number, value, error = outcomes.get(timeout=race.delay if race.has_more else None)
        except queue.Empty:
            if race.start_hedge():
                start(started)
                started += 1
            continue
        if error is None:
            return value, None
        if not isinstance(error, Exception) or plan.control_flow.includes(error):
            return None, error  # such as SystemExit, which ends the call and is not a failure of an attempt
        errors[number] = error
    return None, errors[0]
