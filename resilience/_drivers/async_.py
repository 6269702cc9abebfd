"""Runs async functions under a plan: the driver for asyncio and trio.

Written line by line like `sync.py`, which explains the design. What differs: waits are awaited, an attempt is
cancelled at its time limit, and the context may be left in a task other than the one that entered it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from .._core.call.attempt_gate import AttemptGate
from .._core.call.context import CONTEXT, exit_context
from .._core.call.plan import PLAIN, Plan
from .._core.call.recovery import Recovery
from .._core.call.rejection import acquire_permit, reject_at_gate, reject_expired, reject_open_breaker
from .._core.call.steps import Action, FailedCall
from .asyncio_timeouts import begin
from .attempt_limit import limited, limited_by_trio, timed_out
from .report_waits import pause_async
from .system_clock import running_trio

__all__ = ["compile_async"]


def compile_async(plan: Plan, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return async `fn` under the plan; the result is safe across tasks and event loops."""
    now, limit, per_attempt, keys = plan.clock.monotonic, plan.deadline, plan.attempt_timeout, plan.keys
    breaker, deposits = plan.breaker, None if plan.budget is None else plan.budget.deposits
    window, admission, hold = plan.rate_window, plan.admission, plan.hold
    new_stamps = plan.new_stamps if plan.reconcilable or keys is not None else None
    get_context, set_context, reset_context = CONTEXT.get, CONTEXT.set, CONTEXT.reset

    async def call(*args: Any, **kwargs: Any) -> Any:
        started = now()
        outer = get_context()
        deadline = started + limit
        if outer is not None:
            ends = outer[1] if outer[0].clock is plan.clock else started + outer[1] - outer[0].clock.monotonic()
            if ends < deadline:
                deadline = ends
                if deadline <= started:
                    raise reject_expired(plan, outer)
        key = None
        if keys is not None:
            key, args, kwargs = keys.fill(args, kwargs)
        permit: Any = True  # in place of the permit of a breaker, where there is none
        if breaker is not None:
            permit = breaker.generation
            if not permit and not plan.wait_for_breaker and started < breaker.open_until:
                raise reject_open_breaker(plan, outer, started)
        if hold.current:  # the API has asked to wait
            permit, slot, started = await enter_gate(plan, args, kwargs, deadline, outer, started)
        elif window is not None and permit and window.fast_path and window.sends[0] + window.span <= started:
            window.sends.append(started)  # see `RateWindow` for why no lock is needed
        elif plan.needs_gate:
            permit, slot, started = await enter_gate(plan, args, kwargs, deadline, outer, started)
        elif not permit:
            if plan.wait_for_breaker:
                permit, slot, started = await enter_gate(plan, args, kwargs, deadline, outer, started)
            else:
                permit = acquire_permit(plan, outer, started, args, kwargs)
        if deposits is not None:
            if started >= deposits.end:
                deposits.close_slice(started)
            next(deposits.numbers)
        until = started + per_attempt
        if until > deadline:
            until = deadline
        context: Any = (plan, deadline, until)
        if new_stamps is not None:
            context = (plan, deadline, until, key, new_stamps())
        timer = None
        token = set_context(context)
        try:
            if until != inf:
                timer = begin(until, started, now)
            if timer is None and until != inf:
                result = await limited_by_trio(fn, args, kwargs, until - started)
            else:
                result = await (fn(*args, **kwargs) if kwargs else fn(*args))
            failed = None if result.__class__ in PLAIN else plan.inspect_result(result)
        except Exception as error:
            failed = error
        except BaseException as error:
            if timer is not None and timer.end(error):
                failed = timed_out(until - started)
            else:
                Recovery(plan, FailedCall(plan.operation, args, kwargs, key), context, permit, started, outer).abandon()
                raise
        finally:
            if timer is not None:
                timer.end()
            try:
                reset_context(token)
            except ValueError:  # entered in another task's context, see `exit_context`
                pass
            if admission is not None:
                admission.release(slot)
        if failed is None:
            if breaker is not None:
                if permit is breaker.generation:  # what `Breaker.succeeded` does while it is closed
                    outcomes = breaker.outcomes
                    breaker.consecutive_failures = 0
                    if started >= outcomes.end:
                        outcomes.close_slice(started)
                    next(outcomes.numbers)
                else:
                    breaker.succeeded(permit, started)
                    plan.emit_breaker_events()
            return result
        recovery = Recovery(plan, FailedCall(plan.operation, args, kwargs, key), context, permit, started, outer)
        try:
            return await recover(recovery, fn, failed)
        finally:
            failed = None  # the error's traceback holds this frame: without this they would be a cycle

    return call


async def recover(recovery: Recovery, send: Callable[..., Any], failed: Any) -> Any:
    """Carry out the steps of the recovery until one returns or raises; see `sync.recover`."""
    plan, call = recovery.plan, recovery.call
    value: Any = None
    answer: Any = None
    step: Any = None
    gate: Any = None
    try:
        step = recovery.on_failure(failed)
        while True:
            action, value = step
            if action is Action.WAIT:
                await pause_async(plan.clock, recovery, value)
                step = recovery.after_wait()
            elif action is Action.SEND:
                gate = recovery.new_gate()
                if gate is not None:
                    await pass_gate(gate)
                context = recovery.begin_attempt(gate)
                if context is None:
                    step = recovery.on_rejection()
                    continue
                token = CONTEXT.set(context)
                try:
                    await discard(plan, recovery.take_discarded_answer())
                    result = await limited(send, call.args, call.kwargs, recovery.seconds_left())
                    failed = None if result.__class__ in PLAIN else plan.inspect_result(result)
                except Exception as error:
                    failed = error
                finally:
                    exit_context(token)
                    if gate is not None:
                        gate.release_slot()
                if failed is None:
                    recovery.on_success()
                    return result
                step = recovery.on_failure(failed)
            elif action is Action.LOOK_UP:
                sent = recovery.now()
                token = CONTEXT.set(context := recovery.lookup_context())
                try:
                    answer = await limited(plan.reconcile, (call,), {}, context.until - sent)
                except Exception as error:
                    answer = error
                finally:
                    exit_context(token)
                step = recovery.on_lookup(answer, sent)
            elif action is Action.RETURN:
                await discard(plan, recovery.take_discarded_answer())
                return value
            else:
                raise value
    except BaseException:
        recovery.abandon()
        await discard(plan, recovery.take_discarded_answer())
        raise
    finally:
        recovery.close()
        failed = step = value = answer = gate = None


async def discard(plan: Plan, answer: Any) -> None:
    """Close a discarded answer, if there is one; an error while closing changes nothing."""
    if answer is not None and plan.info.discard is not None:
        try:
            closing = plan.info.discard(answer)
            if closing is not None:
                await closing
        except Exception:
            pass


async def enter_gate(
    plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any], deadline: float, outer: object, now: float
) -> tuple[Any, Any, float]:
    """Bring a first attempt through its gate; results and errors as for `sync.enter_gate`."""
    permit = plan.pay_at_once(now)
    if permit is not None:
        return permit, None, now
    gate = AttemptGate(plan, args, kwargs, deadline)
    await pass_gate(gate)
    if gate.rejection is not None:
        raise reject_at_gate(plan, gate, outer)
    return gate.permit, gate.slot, gate.now


async def pass_gate(gate: AttemptGate) -> None:
    """Wait until the attempt may be sent or is rejected; an interrupted wait releases everything."""
    try:
        while True:
            action, seconds = gate.next_step()
            if action is Action.WAIT:
                await gate.clock.asleep(seconds)
            elif action is Action.PARK:
                await (_park_trio if running_trio() is not None else _park_asyncio)(gate, seconds)
            else:
                return
    except BaseException:
        gate.withdraw()
        raise


async def _park_asyncio(gate: AttemptGate, seconds: float) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    # The slot may be released by another thread, which must not touch this loop's futures itself.
    if gate.join_queue(lambda: loop.call_soon_threadsafe(wake)):
        await asyncio.wait((woken,), timeout=seconds)


async def _park_trio(gate: AttemptGate, seconds: float) -> None:
    trio = running_trio()
    woken, token = trio.Event(), trio.lowlevel.current_trio_token()
    if gate.join_queue(lambda: token.run_sync_soon(woken.set)):
        with trio.move_on_after(seconds):
            await woken.wait()
