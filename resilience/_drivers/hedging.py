"""Hedging: further attempts beside a slow first one; the first good answer wins.

Each hedged attempt is a whole call of its own, with retries, breaker and quota. All of them share one deadline and
one key. The decisions (when to start another, how many) are made in `_core.stages.hedge` and `_Race`.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any

from .._core.call.context import CONTEXT, CallContext, exit_context
from .._core.call.plan import Plan
from .._core.classify.attach import attach_failure, attached_failure
from .._core.stages.hedge import HedgeDelay
from .system_clock import running_trio

__all__ = ["hedge_async", "hedge_sync"]

Sync = Callable[..., Any]
Async = Callable[..., Awaitable[Any]]
Memory = dict[str, Any]
"""What compiled calls of one function and operation remember; a reload hands it on."""


class _Race:
    """One hedged call: when the next attempt starts, and who has won."""

    def __init__(self, plan: Plan, pace: HedgeDelay) -> None:
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
        self._plan.emit("hedge_started", wait_for=self.delay)
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
    in_lookup = outer is not None and CallContext(*outer).in_lookup
    place = CallContext(plan, deadline, inf, None, None, attempt=0, in_lookup=in_lookup)
    return outer, CONTEXT.set(place)


def _outside(error: BaseException, outer: Any) -> BaseException:
    """Let an outer call see that this one has given up."""
    failure = attached_failure(error)
    if failure is not None:
        attach_failure(error, failure, outer)
    return error


def hedge_async(plan: Plan, call: Async, memory: Memory) -> Async:
    """Return async `call` with further attempts beside a slow first one; losers are cancelled."""
    assert plan.policy.hedge is not None
    pace: HedgeDelay = memory.setdefault("pace", HedgeDelay(plan.policy.hedge))
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
            exit_context(token)
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


def hedge_sync(plan: Plan, call: Sync, memory: Memory) -> Sync:
    """Return `call` with further attempts in threads beside a slow first one; a loser runs on and is not heard."""
    assert plan.policy.hedge is not None
    pace: HedgeDelay = memory.setdefault("pace", HedgeDelay(plan.policy.hedge))
    pace.rules = plan.policy.hedge

    def hedged(*args: Any, **kwargs: Any) -> Any:
        if plan.keys is not None:
            _, args, kwargs = plan.keys.fill(args, kwargs)  # one key for all of the race
        started = plan.clock.monotonic()
        outer, token = _enter(plan)
        try:
            result, error = _race_threads(_Race(plan, pace), lambda: call(*args, **kwargs), plan.operation)
        finally:
            exit_context(token)
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
