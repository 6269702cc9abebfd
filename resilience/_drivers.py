"""The only place that waits: one driver for sync functions, one for async functions.

The two look alike on purpose. Every decision is made in `_core`; a driver sends, sleeps and looks
as it is told. Success costs a clock read, a context variable and what the plan needs; `call` is long because
it makes no call that it can do without. What follows a first failure stands in `_recover.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from ._core.call import Call
from ._core.deadline import CONTEXT
from ._core.plan import PLAIN, Plan
from ._core.recovery import Recovery
from ._core.refusal import Patience, admitted, out_of_time, shut_out
from ._limits import begin
from ._recover import arecover, recover
from ._waits import aentered, cut, entered, limited_by_trio

__all__ = ["compile_async", "compile_sync"]


class Absent:
    """What stands for a breaker where there is none: it admits everything."""

    __slots__ = ()

    gate = True


def compile_sync(plan: Plan, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fn` under the plan; safe across threads."""
    now, enter, here, inspect = plan.clock.monotonic, CONTEXT.set, CONTEXT.get, plan.inspect
    limit, per_attempt, keys, clock = plan.deadline, plan.attempt_timeout, plan.keys, plan.clock
    stamps = plan.stamps if plan.reconciled else None
    deposits = None if plan.budget is None else plan.budget.deposits
    goods = None if plan.breaker is None else plan.breaker.goods
    numbers: Any = None if deposits is None else deposits.numbers
    good: Any = None if goods is None else goods.numbers
    breaker: Any = plan.breaker or Absent()
    patient, gated, gauge, admission = plan.patient, plan.gated, plan.gauge, plan.admission
    sends: Any = None if gauge is None else gauge.sends
    span, put = (0.0, list[float]().append) if gauge is None else (gauge.span, gauge.sends.append)
    leave = CONTEXT.reset

    def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = here()
        deadline = started + limit
        if outer is not None:
            ends = outer[1] if outer[0].clock is clock else started + outer[1] - outer[0].clock.monotonic()
            if ends < deadline:
                deadline = ends
                if deadline <= started:
                    raise out_of_time(plan, outer)
        key = None
        if keys is not None:
            key, args, kwargs = keys.fill(args, kwargs)
        ticket = breaker.gate
        if not ticket and not patient and started < breaker.shut_until:
            raise shut_out(plan, outer, started)
        if not gated:
            if not ticket:
                if patient:
                    for delay in (patience := Patience(plan, outer, started, deadline)):
                        clock.sleep(delay)
                    ticket, started = patience.ticket, now()
                else:
                    ticket = admitted(plan, outer, started, args, kwargs)
        elif gauge is not None and ticket and gauge.easy and sends[0] + span <= started:
            put(started)  # see `Gauge` for why no lock is needed
        else:
            ticket, slot, started = entered(plan, args, kwargs, deadline, outer, started)
        if deposits is not None:
            if started >= deposits.end:
                deposits.turn(started)
            next(numbers)
        until = started + per_attempt
        if until > deadline:
            until = deadline
        place = (plan, deadline, until, key, None if stamps is None else stamps())
        token = enter(place)
        try:
            result = fn(*args, **kwargs) if kwargs else fn(*args)
            failed = None if result.__class__ in PLAIN else inspect(result)
        except Exception as error:
            failed = error
        except BaseException:
            Recovery(plan, Call(plan.operation, args, kwargs, key), place, ticket, started, outer).abandoned()
            raise
        finally:
            leave(token)
            if admission is not None:
                admission.leave(slot)
        if failed is None:
            if goods is not None:
                if ticket is breaker.gate:
                    breaker.streak = 0
                    if started >= goods.end:
                        goods.turn(started)
                    next(good)
                else:
                    breaker.succeeded(ticket, started)
                    plan.tell_breaker()
            return result
        recovery = Recovery(plan, Call(plan.operation, args, kwargs, key), place, ticket, started, outer)
        try:
            return recover(recovery, fn, failed)
        finally:
            failed = None

    return call


def compile_async(plan: Plan, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return async `fn` under the plan; safe across tasks and event loops."""
    now, enter, here, inspect = plan.clock.monotonic, CONTEXT.set, CONTEXT.get, plan.inspect
    limit, per_attempt, keys, clock = plan.deadline, plan.attempt_timeout, plan.keys, plan.clock
    stamps = plan.stamps if plan.reconciled else None
    deposits = None if plan.budget is None else plan.budget.deposits
    goods = None if plan.breaker is None else plan.breaker.goods
    numbers: Any = None if deposits is None else deposits.numbers
    good: Any = None if goods is None else goods.numbers
    breaker: Any = plan.breaker or Absent()
    patient, gated, gauge, admission = plan.patient, plan.gated, plan.gauge, plan.admission
    sends: Any = None if gauge is None else gauge.sends
    span, put = (0.0, list[float]().append) if gauge is None else (gauge.span, gauge.sends.append)
    leave = CONTEXT.reset

    async def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = here()
        deadline = started + limit
        if outer is not None:
            ends = outer[1] if outer[0].clock is clock else started + outer[1] - outer[0].clock.monotonic()
            if ends < deadline:
                deadline = ends
                if deadline <= started:
                    raise out_of_time(plan, outer)
        key = None
        if keys is not None:
            key, args, kwargs = keys.fill(args, kwargs)
        ticket = breaker.gate
        if not ticket and not patient and started < breaker.shut_until:
            raise shut_out(plan, outer, started)
        if not gated:
            if not ticket:
                if patient:
                    for delay in (patience := Patience(plan, outer, started, deadline)):
                        await clock.asleep(delay)
                    ticket, started = patience.ticket, now()
                else:
                    ticket = admitted(plan, outer, started, args, kwargs)
        elif gauge is not None and ticket and gauge.easy and sends[0] + span <= started:
            put(started)  # see `Gauge` for why no lock is needed
        else:
            ticket, slot, started = await aentered(plan, args, kwargs, deadline, outer, started)
        if deposits is not None:
            if started >= deposits.end:
                deposits.turn(started)
            next(numbers)
        until = started + per_attempt
        if until > deadline:
            until = deadline
        place = (plan, deadline, until, key, None if stamps is None else stamps())
        cutting = None
        token = enter(place)
        try:
            if until != inf:
                cutting = begin(until, started, now)
            if cutting is None and until != inf:
                result = await limited_by_trio(fn, args, kwargs, until - started)
            else:
                result = await (fn(*args, **kwargs) if kwargs else fn(*args))
            failed = None if result.__class__ in PLAIN else inspect(result)
        except Exception as error:
            failed = error
        except BaseException as error:
            if cutting is not None and cutting.end(error):
                failed = cut(until - started)
            else:
                Recovery(plan, Call(plan.operation, args, kwargs, key), place, ticket, started, outer).abandoned()
                raise
        finally:
            if cutting is not None:
                cutting.end()
            try:
                leave(token)
            except ValueError:  # a foreign context, see `left`
                pass
            if admission is not None:
                admission.leave(slot)
        if failed is None:
            if goods is not None:
                if ticket is breaker.gate:
                    breaker.streak = 0
                    if started >= goods.end:
                        goods.turn(started)
                    next(good)
                else:
                    breaker.succeeded(ticket, started)
                    plan.tell_breaker()
            return result
        recovery = Recovery(plan, Call(plan.operation, args, kwargs, key), place, ticket, started, outer)
        try:
            return await arecover(recovery, fn, failed)
        finally:
            failed = None

    return call
