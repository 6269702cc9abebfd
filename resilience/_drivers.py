"""The only place that waits: one driver for sync functions, one for async functions.

The two look alike on purpose. Every decision is made in `_core`; a driver sends, sleeps and looks
as it is told. Success costs a clock read, a context variable and what the plan needs; `call` is long because
it makes no call that it can do without. A failed
attempt is reported outside its `except` block, so that attempts do not chain as contexts, and every
frame lets go of the error it handled, so that no cycle keeps a traceback alive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._core.call import Action, Call
from ._core.deadline import CONTEXT
from ._core.deadline import leave as left
from ._core.plan import PLAIN, Plan
from ._core.recovery import Recovery
from ._core.refusal import Patience, admitted, out_of_time
from ._core.stage import Stage, asked, told
from ._waits import aentered, apassed, entered, limited, passed

__all__ = ["compile_async", "compile_sync", "look_async", "stage_async", "stage_sync"]


def compile_sync(plan: Plan, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return `fn` under the plan; safe across threads."""
    now, breaker, budget, inspect = plan.clock.monotonic, plan.breaker, plan.budget, plan.inspect
    limit, per_attempt, keys, reconciled = plan.deadline, plan.attempt_timeout, plan.keys, plan.reconciled
    operation, clock, window, stamps = plan.operation, plan.clock, plan.rules.window, plan.stamps
    here, enter, leave = CONTEXT.get, CONTEXT.set, CONTEXT.reset
    deposits = None if budget is None else budget.deposits
    goods = None if breaker is None else breaker.goods
    patient = plan.patient
    gated, gauge, admission = plan.gated, plan.gauge, plan.admission
    sends: Any = None if gauge is None else gauge.sends
    span, put = (0.0, None) if gauge is None else (gauge.span, gauge.sends.append)

    def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = here()
        deadline = started + limit
        if outer is not None:
            ends = outer[2] if outer[1] is clock else started + outer[2] - outer[1].monotonic()
            if ends < deadline:
                deadline = ends
                if deadline <= started:
                    raise out_of_time(plan, outer)
        key = None
        if keys is not None:
            key, args, kwargs = keys.fill(args, kwargs)
        ticket: Any = None
        slot: Any = None
        if not gated:
            if breaker is not None:
                ticket = breaker.gate
                if not ticket:
                    if patient:
                        for delay in (patience := Patience(plan, outer, started, deadline)):
                            clock.sleep(delay)
                        ticket, started = patience.ticket, now()
                    else:
                        ticket = admitted(plan, outer, started, args, kwargs)
        elif (
            gauge is not None
            and (breaker is None or (ticket := breaker.gate))
            and gauge.easy
            and sends[0] + span <= started
        ):
            put(started)  # type: ignore[misc]  # a gauge's; see `Gauge` for why no lock is needed
        else:
            ticket, slot, started = entered(plan, args, kwargs, deadline, outer, started)
        if deposits is not None:
            if started >= deposits.end:
                deposits.turn(started)
            deposits.common = deposits.next()
        until = started + per_attempt
        if until > deadline:
            until = deadline
        place: Any
        place = (operation, clock, deadline, until, 1, key, stamps() if reconciled else None, window, plan, False)
        token = enter(place)
        try:
            result = fn(*args, **kwargs)
            failed = None if result.__class__ in PLAIN else inspect(result)
        except Exception as error:
            failed = error
        except BaseException:
            Recovery(plan, Call(operation, args, kwargs, key), place, ticket, started, outer).abandoned()
            raise
        finally:
            leave(token)
            if slot is not None:
                admission.leave(slot)  # type: ignore[union-attr]  # a slot is an admission's
        if failed is None:
            if goods is not None:
                if ticket == breaker.gate:  # type: ignore[union-attr]  # goods are a breaker's
                    breaker.streak = 0  # type: ignore[union-attr]
                    if started >= goods.end:
                        goods.turn(started)
                    goods.common = goods.next()
                else:
                    breaker.succeeded(ticket, started)  # type: ignore[union-attr]
                    plan.tell_breaker()
            return result
        recovery = Recovery(plan, Call(operation, args, kwargs, key), place, ticket, started, outer)
        try:
            return recover(recovery, fn, failed)
        finally:
            failed = None

    return call


def recover(recovery: Recovery, send: Callable[..., Any], failed: Any) -> Any:
    """Do what the recovery says until it returns or raises."""
    plan, call = recovery.plan, recovery.call
    value: Any = None
    answer: Any = None
    step: Any = None
    door: Any = None
    try:
        step = recovery.failed(failed)
        while True:
            action, value = step
            if action is Action.WAIT:
                plan.clock.sleep(value)
                step = recovery.waited()
            elif action is Action.SEND:
                door = recovery.door()
                if door is not None:
                    passed(door)
                place = recovery.begin(door)
                if place is None:
                    step = recovery.refused()
                    continue
                token = CONTEXT.set(place)
                try:
                    discard(plan, recovery.stale())
                    result = send(*call.args, **call.kwargs)
                    failed = None if result.__class__ in PLAIN else plan.inspect(result)
                except Exception as error:
                    failed = error
                finally:
                    left(token)
                    if door is not None:
                        door.leave()
                if failed is None:
                    recovery.recovered()
                    return result
                step = recovery.failed(failed)
            elif action is Action.LOOK:
                sent = recovery.now()
                token = CONTEXT.set(recovery.looking())
                try:
                    answer = plan.reconcile(call)
                except Exception as error:
                    answer = error
                finally:
                    left(token)
                step = recovery.looked(answer, sent)
            elif action is Action.RETURN:
                discard(plan, recovery.stale())
                return value
            else:
                raise value
    except BaseException:
        recovery.abandoned()
        discard(plan, recovery.stale())
        raise
    finally:
        recovery.close()
        failed = step = value = answer = door = None


def discard(plan: Plan, answer: Any) -> None:
    """Close an answer that is thrown away, if there is one; how that goes changes nothing."""
    if answer is not None and plan.binding.discard is not None:
        try:
            plan.binding.discard(answer)
        except Exception:
            pass


def compile_async(plan: Plan, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return async `fn` under the plan; safe across tasks and event loops."""
    now, breaker, budget, inspect = plan.clock.monotonic, plan.breaker, plan.budget, plan.inspect
    limit, per_attempt, keys, reconciled = plan.deadline, plan.attempt_timeout, plan.keys, plan.reconciled
    operation, clock, window, stamps = plan.operation, plan.clock, plan.rules.window, plan.stamps
    here, enter = CONTEXT.get, CONTEXT.set
    deposits = None if budget is None else budget.deposits
    goods = None if breaker is None else breaker.goods
    patient = plan.patient
    gated, gauge, admission = plan.gated, plan.gauge, plan.admission
    sends: Any = None if gauge is None else gauge.sends
    span, put = (0.0, None) if gauge is None else (gauge.span, gauge.sends.append)

    async def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = here()
        deadline = started + limit
        if outer is not None:
            ends = outer[2] if outer[1] is clock else started + outer[2] - outer[1].monotonic()
            if ends < deadline:
                deadline = ends
                if deadline <= started:
                    raise out_of_time(plan, outer)
        key = None
        if keys is not None:
            key, args, kwargs = keys.fill(args, kwargs)
        ticket: Any = None
        slot: Any = None
        if not gated:
            if breaker is not None:
                ticket = breaker.gate
                if not ticket:
                    if patient:
                        for delay in (patience := Patience(plan, outer, started, deadline)):
                            await clock.asleep(delay)
                        ticket, started = patience.ticket, now()
                    else:
                        ticket = admitted(plan, outer, started, args, kwargs)
        elif (
            gauge is not None
            and (breaker is None or (ticket := breaker.gate))
            and gauge.easy
            and sends[0] + span <= started
        ):
            put(started)  # type: ignore[misc]  # a gauge's; see `Gauge` for why no lock is needed
        else:
            ticket, slot, started = await aentered(plan, args, kwargs, deadline, outer, started)
        if deposits is not None:
            if started >= deposits.end:
                deposits.turn(started)
            deposits.common = deposits.next()
        until = started + per_attempt
        if until > deadline:
            until = deadline
        place: Any
        place = (operation, clock, deadline, until, 1, key, stamps() if reconciled else None, window, plan, False)
        token = enter(place)
        try:
            result = await limited(fn, args, kwargs, until - started)
            failed = None if result.__class__ in PLAIN else inspect(result)
        except Exception as error:
            failed = error
        except BaseException:
            Recovery(plan, Call(operation, args, kwargs, key), place, ticket, started, outer).abandoned()
            raise
        finally:
            left(token)
            if slot is not None:
                admission.leave(slot)  # type: ignore[union-attr]  # a slot is an admission's
        if failed is None:
            if goods is not None:
                if ticket == breaker.gate:  # type: ignore[union-attr]  # goods are a breaker's
                    breaker.streak = 0  # type: ignore[union-attr]
                    if started >= goods.end:
                        goods.turn(started)
                    goods.common = goods.next()
                else:
                    breaker.succeeded(ticket, started)  # type: ignore[union-attr]
                    plan.tell_breaker()
            return result
        recovery = Recovery(plan, Call(operation, args, kwargs, key), place, ticket, started, outer)
        try:
            return await arecover(recovery, fn, failed)
        finally:
            failed = None

    return call


async def arecover(recovery: Recovery, send: Callable[..., Any], failed: Any) -> Any:
    """Do what the recovery says until it returns or raises."""
    plan, call = recovery.plan, recovery.call
    value: Any = None
    answer: Any = None
    step: Any = None
    door: Any = None
    try:
        step = recovery.failed(failed)
        while True:
            action, value = step
            if action is Action.WAIT:
                await plan.clock.asleep(value)
                step = recovery.waited()
            elif action is Action.SEND:
                door = recovery.door()
                if door is not None:
                    await apassed(door)
                place = recovery.begin(door)
                if place is None:
                    step = recovery.refused()
                    continue
                token = CONTEXT.set(place)
                try:
                    await adiscard(plan, recovery.stale())
                    result = await limited(send, call.args, call.kwargs, recovery.left())
                    failed = None if result.__class__ in PLAIN else plan.inspect(result)
                except Exception as error:
                    failed = error
                finally:
                    left(token)
                    if door is not None:
                        door.leave()
                if failed is None:
                    recovery.recovered()
                    return result
                step = recovery.failed(failed)
            elif action is Action.LOOK:
                sent = recovery.now()
                token = CONTEXT.set(place := recovery.looking())
                try:
                    answer = await limited(plan.reconcile, (call,), {}, place.until - sent)
                except Exception as error:
                    answer = error
                finally:
                    left(token)
                step = recovery.looked(answer, sent)
            elif action is Action.RETURN:
                await adiscard(plan, recovery.stale())
                return value
            else:
                raise value
    except BaseException:
        recovery.abandoned()
        await adiscard(plan, recovery.stale())
        raise
    finally:
        recovery.close()
        failed = step = value = answer = door = None


async def adiscard(plan: Plan, answer: Any) -> None:
    """Close an answer that is thrown away, if there is one; how that goes changes nothing."""
    if answer is not None and plan.binding.discard is not None:
        try:
            closing = plan.binding.discard(answer)
            if closing is not None:
                await closing
        except Exception:
            pass


def look_async(reconcile: Callable[..., Any]) -> Callable[..., Any]:
    """Return an async reconciler of one that may be a plain function, whose answer stands at once."""

    async def look(call: Call) -> Any:
        answer = reconcile(call)
        return await answer if hasattr(answer, "__await__") else answer

    return look


def stage_sync(fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    """Return `fn` with the user's stages around each attempt."""

    def staged(*args: Any, **kwargs: Any) -> Any:
        call, agreed = asked(stages)
        try:
            result = fn(*args, **kwargs)
        except BaseException as error:
            told(call, agreed, error)
            raise
        told(call, agreed, None)
        return result

    return staged


def stage_async(fn: Callable[..., Any], stages: Sequence[Stage]) -> Callable[..., Any]:
    """Return async `fn` with the user's stages around each attempt."""

    async def staged(*args: Any, **kwargs: Any) -> Any:
        call, agreed = asked(stages)
        try:
            result = await fn(*args, **kwargs)
        except BaseException as error:
            told(call, agreed, error)
            raise
        told(call, agreed, None)
        return result

    return staged
