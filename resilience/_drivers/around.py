"""What stands around a call's attempts: the fallback outermost, hedging inside it.

Like the drivers they come in two colours that look alike, and every decision is made in `_core`. A
hedged attempt is a whole call of its own with retries, breaker and quota; all of them share one
deadline, and the first good answer wins.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

from .._core.call.context import CONTEXT, Place, leave
from .._core.call.plan import PLAIN, Plan
from .._core.call.steps import Call
from .._core.classify.attach import keep, kept
from .._core.policy.sections import Fallback
from .._core.stages.fallback import Instead, LastGood, instead, wanted
from .._core.stages.hedge import Pace
from .system_clock import running_trio

__all__ = ["fall_back_async", "fall_back_sync", "hedge_async", "hedge_sync"]

Sync = Callable[..., Any]
Async = Callable[..., Awaitable[Any]]
Known = dict[str, Any]
"""What compiled calls of one function and operation remember; a reload hands it on."""


# --- fallback ---------------------------------------------------------------------------------------


def fall_back_sync(plan: Plan, call: Sync, known: Known) -> Sync:
    """Return `call` with what stands in when it fails for good."""
    rules, good = _rules(plan, known)

    def covered(*args: Any, **kwargs: Any) -> Any:
        try:
            result = call(*args, **kwargs)
            covering = _covering(plan, rules, good, result, args, kwargs)
        except Exception as error:
            covering = _covering(plan, rules, good, error, args, kwargs)
            if covering is None:
                raise
        if covering is None:
            return result
        return rules.call(_told(plan, args, kwargs)) if covering.asked and rules.call else covering.value

    return covered


def fall_back_async(plan: Plan, call: Async, known: Known) -> Async:
    """Return async `call` with what stands in when it fails for good; a fallback function may be either colour."""
    rules, good = _rules(plan, known)

    async def covered(*args: Any, **kwargs: Any) -> Any:
        try:
            result = await call(*args, **kwargs)
            covering = _covering(plan, rules, good, result, args, kwargs)
        except Exception as error:
            covering = _covering(plan, rules, good, error, args, kwargs)
            if covering is None:
                raise
        if covering is None:
            return result
        value = rules.call(_told(plan, args, kwargs)) if covering.asked and rules.call else covering.value
        return await value if covering.asked and hasattr(value, "__await__") else value

    return covered


def _rules(plan: Plan, known: Known) -> tuple[Fallback, LastGood | None]:
    rules = plan.policy.fallback
    assert rules is not None
    if rules.last_good is None:
        return rules, None
    good: LastGood = known.setdefault("good", LastGood(rules.last_good))
    good.longest = rules.last_good
    return rules, good


def _covering(
    plan: Plan, rules: Fallback, good: LastGood | None, outcome: Any, args: Any, kwargs: Any
) -> Instead | None:
    """Return what stands in for this outcome; a good answer is remembered, and None lets it through."""
    raised = isinstance(outcome, Exception)
    failure = kept(outcome) if raised or (plan.binding.bad is not None and outcome.__class__ not in PLAIN) else None
    now = plan.clock.monotonic()
    if not raised and failure is None:
        if good is not None:
            good.keep(args, kwargs, outcome, now)
        return None
    found = (
        instead(rules, good, args, kwargs, now) if wanted(rules, outcome, failure, harmless=plan.idempotent) else None
    )
    if found is not None:
        plan.tell("call_fell_back", code=None if failure is None else failure.code)
    return found


def _told(plan: Plan, args: Any, kwargs: Any) -> Call:
    return Call(plan.operation, args, kwargs, None)


# --- hedging ----------------------------------------------------------------------------------------


class _Race:
    """One hedged call: when the next attempt starts, and who has won."""

    def __init__(self, plan: Plan, pace: Pace) -> None:
        rules = plan.policy.hedge
        assert rules is not None
        self._plan = plan
        self._left = rules.max_hedges
        self.delay = pace.delay

    def another(self) -> bool:
        """Tell whether one more attempt starts now; it is a retry to the budget."""
        budget, now = self._plan.budget, self._plan.clock.monotonic()
        if self._left <= 0 or (budget is not None and not budget.withdraw(now)):
            self._left = 0
            return False
        self._left -= 1
        self._plan.tell("call_hedged", wait_for=self.delay)
        return True

    @property
    def more(self) -> bool:
        """Tell whether another attempt may still start."""
        return self._left > 0


def _enter(plan: Plan) -> tuple[Any, Any]:
    """Give the calls of one race one deadline; return the outer place and the token."""
    outer = CONTEXT.get()
    started = plan.clock.monotonic()
    deadline = started + plan.deadline
    if outer is not None:
        deadline = min(deadline, started + outer[1] - outer[0].clock.monotonic())
    looking = outer is not None and Place(*outer).looking
    place = Place(plan, deadline, inf, None, None, attempt=0, looking=looking)
    return outer, CONTEXT.set(place)


def _outside(error: BaseException, outer: Any) -> BaseException:
    """Let an outer call see that this one has given up."""
    failure = kept(error)
    if failure is not None:
        keep(error, failure, outer)
    return error


def hedge_async(plan: Plan, call: Async, known: Known) -> Async:
    """Return async `call` with further attempts beside a slow first one; losers are cancelled."""
    assert plan.policy.hedge is not None
    pace: Pace = known.setdefault("pace", Pace(plan.policy.hedge))
    pace.rules = plan.policy.hedge

    async def hedged(*args: Any, **kwargs: Any) -> Any:
        if plan.keys is not None:
            _, args, kwargs = plan.keys.fill(args, kwargs)  # one key for all of the race
        started = plan.clock.monotonic()
        outer, token = _enter(plan)
        try:
            run = _race_trio if running_trio() is not None else _race_asyncio
            result, error = await run(plan, _Race(plan, pace), lambda: call(*args, **kwargs))
        finally:
            leave(token)
        if error is None:
            pace.add(plan.clock.monotonic() - started)
            return result
        try:
            raise _outside(error, outer)
        finally:
            error = None  # it refers to this frame

    return hedged


async def _race_asyncio(plan: Plan, race: _Race, attempt: Callable[[], Any]) -> tuple[Any, Exception | None]:
    import asyncio

    running: list[Any] = [asyncio.ensure_future(attempt())]
    timer: Any = asyncio.ensure_future(plan.clock.asleep(race.delay))
    waiting: set[Any] = set()
    try:
        while True:
            waiting = {one for one in (*running, timer) if one is not None and not one.done()}
            if waiting:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            won = [one.result() for one in running if one.done() and one.exception() is None]
            if won:
                return won[0], None
            if all(one.done() for one in running):
                return None, running[0].exception()
            if timer is not None and timer.done():
                again = race.another()
                if again:
                    running.append(asyncio.ensure_future(attempt()))
                timer = asyncio.ensure_future(plan.clock.asleep(race.delay)) if again and race.more else None
    finally:
        waiting = {one for one in (*running, timer) if one is not None and not one.done()}
        for one in waiting:
            one.cancel()
        if waiting:
            await asyncio.gather(*waiting, return_exceptions=True)


async def _race_trio(plan: Plan, race: _Race, attempt: Callable[[], Any]) -> tuple[Any, Exception | None]:
    trio: Any = running_trio()
    ends: list[tuple[int, Any, Exception | None]] = []
    changed = [trio.Event()]
    due = [False]

    async def run(number: int) -> None:
        try:
            ends.append((number, await attempt(), None))
        except Exception as error:
            ends.append((number, None, error))
        changed[0].set()

    async def timer() -> None:
        await plan.clock.asleep(race.delay)
        due[0] = True
        changed[0].set()

    async with trio.open_nursery() as nursery:
        started = 1
        nursery.start_soon(run, 0)
        nursery.start_soon(timer)
        while not any(error is None for _, _, error in ends) and len(ends) < started:
            await changed[0].wait()
            changed[0] = trio.Event()
            if due[0] and len(ends) < started:
                due[0] = False
                if race.another():
                    nursery.start_soon(run, started)
                    started += 1
                    if race.more:
                        nursery.start_soon(timer)
        nursery.cancel_scope.cancel()
    good = [value for _, value, error in ends if error is None]
    return (good[0], None) if good else (None, min(ends)[2])


def hedge_sync(plan: Plan, call: Sync, known: Known) -> Sync:
    """Return `call` with further attempts in threads beside a slow first one; a loser runs on and is not heard."""
    assert plan.policy.hedge is not None
    pace: Pace = known.setdefault("pace", Pace(plan.policy.hedge))
    pace.rules = plan.policy.hedge

    def hedged(*args: Any, **kwargs: Any) -> Any:
        if plan.keys is not None:
            _, args, kwargs = plan.keys.fill(args, kwargs)  # one key for all of the race
        started = plan.clock.monotonic()
        outer, token = _enter(plan)
        try:
            result, error = _race_threads(_Race(plan, pace), lambda: call(*args, **kwargs), plan.operation)
        finally:
            leave(token)
        if error is None:
            pace.add(plan.clock.monotonic() - started)
            return result
        try:
            raise _outside(error, outer)
        finally:
            error = None  # it refers to this frame

    return hedged


def _race_threads(race: _Race, attempt: Callable[[], Any], name: str) -> tuple[Any, BaseException | None]:
    ends: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()

    def run(number: int) -> None:
        try:
            ends.put((number, attempt(), None))
        except BaseException as error:  # whatever it is, somebody waits for it
            ends.put((number, None, error))

    def start(number: int) -> None:
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(run, number), name=f"hedge {name} {number}", daemon=True).start()

    started, failed = 1, dict[int, BaseException]()
    start(0)
    while len(failed) < started:
        try:
            number, value, error = ends.get(timeout=race.delay if race.more else None)
        except queue.Empty:
            if race.another():
                start(started)
                started += 1
            continue
        if error is None:
            return value, None
        if not isinstance(error, Exception):
            return None, error  # `sys.exit` in an attempt is no failure that another attempt would make good
        failed[number] = error
    return None, failed[0]
