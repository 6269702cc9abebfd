"""The only place that waits: one driver for sync functions, one for async functions.

The two look alike on purpose. Every decision is made in `_core`; a driver sends, sleeps and looks
as it is told. Success costs a clock read, a context variable and what the plan needs; `call` is long because
it makes no call that it can do without. What follows a first failure stands in `_recover.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from .._core.call.context import CONTEXT
from .._core.call.plan import PLAIN, Plan
from .._core.call.recovery import Recovery
from .._core.call.rejection import Patience, admitted, out_of_time, shut_out
from .._core.call.steps import Call
from .asyncio_timeouts import begin
from .recover import arecover, recover
from .waits import aentered, cut, entered, limited_by_trio

__all__ = ["compile_async", "compile_sync"]


HERE, ENTER, LEAVE = CONTEXT.get, CONTEXT.set, CONTEXT.reset


def compile_sync(plan: Plan, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fn` under the plan; safe across threads."""
    now, limit, per_attempt, keys = plan.clock.monotonic, plan.deadline, plan.attempt_timeout, plan.keys
    breaker, deposits = plan.breaker, None if plan.budget is None else plan.budget.deposits
    gauge, admission, stamps = plan.gauge, plan.admission, plan.stamps if plan.reconciled else None
    marked = keys is not None or stamps is not None

    def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = HERE()
        deadline = started + limit
        if outer is not None:
            ends = outer[1] if outer[0].clock is plan.clock else started + outer[1] - outer[0].clock.monotonic()
            if ends < deadline:
                deadline = ends
                if deadline <= started:
                    raise out_of_time(plan, outer)
        key = None
        if keys is not None:
            key, args, kwargs = keys.fill(args, kwargs)
        ticket: Any = True  # the leave of a breaker that is not there
        if breaker is not None:
            ticket = breaker.gate
            if not ticket and not plan.patient and started < breaker.shut_until:
                raise shut_out(plan, outer, started)
        if gauge is not None and ticket and gauge.easy and gauge.sends[0] + gauge.span <= started:
            gauge.sends.append(started)  # see `Gauge` for why no lock is needed
        elif plan.gated:
            ticket, slot, started = entered(plan, args, kwargs, deadline, outer, started)
        elif not ticket:
            if plan.patient:
                urgent = plan.urgent(args, kwargs)
                for delay in (patience := Patience(plan, outer, started, deadline, urgent=urgent)):
                    plan.clock.sleep(delay)
                ticket, started = patience.ticket, now()
            else:
                ticket = admitted(plan, outer, started, args, kwargs)
        if deposits is not None:
            if started >= deposits.end:
                deposits.turn(started)
            next(deposits.numbers)
        until = started + per_attempt
        if until > deadline:
            until = deadline
        place: Any = (plan, deadline, until)
        if marked:
            place = (plan, deadline, until, key, None if stamps is None else stamps())
        token = ENTER(place)
        try:
            result = fn(*args, **kwargs) if kwargs else fn(*args)
            failed = None if result.__class__ in PLAIN else plan.inspect(result)
        except Exception as error:
            failed = error
        except BaseException:
            Recovery(plan, Call(plan.operation, args, kwargs, key), place, ticket, started, outer).abandoned()
            raise
        finally:
            LEAVE(token)
            if admission is not None:
                admission.leave(slot)
        if failed is None:
            if breaker is not None:
                if ticket is breaker.gate:
                    goods = breaker.goods
                    breaker.streak = 0
                    if started >= goods.end:
                        goods.turn(started)
                    next(goods.numbers)
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
    now, limit, per_attempt, keys = plan.clock.monotonic, plan.deadline, plan.attempt_timeout, plan.keys
    breaker, deposits = plan.breaker, None if plan.budget is None else plan.budget.deposits
    gauge, admission, stamps = plan.gauge, plan.admission, plan.stamps if plan.reconciled else None
    marked = keys is not None or stamps is not None

    async def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = HERE()
        deadline = started + limit
        if outer is not None:
            ends = outer[1] if outer[0].clock is plan.clock else started + outer[1] - outer[0].clock.monotonic()
            if ends < deadline:
                deadline = ends
                if deadline <= started:
                    raise out_of_time(plan, outer)
        key = None
        if keys is not None:
            key, args, kwargs = keys.fill(args, kwargs)
        ticket: Any = True  # the leave of a breaker that is not there
        if breaker is not None:
            ticket = breaker.gate
            if not ticket and not plan.patient and started < breaker.shut_until:
                raise shut_out(plan, outer, started)
        if gauge is not None and ticket and gauge.easy and gauge.sends[0] + gauge.span <= started:
            gauge.sends.append(started)  # see `Gauge` for why no lock is needed
        elif plan.gated:
            ticket, slot, started = await aentered(plan, args, kwargs, deadline, outer, started)
        elif not ticket:
            if plan.patient:
                urgent = plan.urgent(args, kwargs)
                for delay in (patience := Patience(plan, outer, started, deadline, urgent=urgent)):
                    await plan.clock.asleep(delay)
                ticket, started = patience.ticket, now()
            else:
                ticket = admitted(plan, outer, started, args, kwargs)
        if deposits is not None:
            if started >= deposits.end:
                deposits.turn(started)
            next(deposits.numbers)
        until = started + per_attempt
        if until > deadline:
            until = deadline
        place: Any = (plan, deadline, until)
        if marked:
            place = (plan, deadline, until, key, None if stamps is None else stamps())
        cutting = None
        token = ENTER(place)
        try:
            if until != inf:
                cutting = begin(until, started, now)
            if cutting is None and until != inf:
                result = await limited_by_trio(fn, args, kwargs, until - started)
            else:
                result = await (fn(*args, **kwargs) if kwargs else fn(*args))
            failed = None if result.__class__ in PLAIN else plan.inspect(result)
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
                LEAVE(token)
            except ValueError:  # a foreign context, see `left`
                pass
            if admission is not None:
                admission.leave(slot)
        if failed is None:
            if breaker is not None:
                if ticket is breaker.gate:
                    goods = breaker.goods
                    breaker.streak = 0
                    if started >= goods.end:
                        goods.turn(started)
                    next(goods.numbers)
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
