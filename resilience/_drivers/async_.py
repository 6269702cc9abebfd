"""Runs async functions under a plan: the driver for asyncio and trio.

Written line by line like `sync.py`, which explains the design. What differs: waits are awaited, an attempt is
cancelled at its time limit, and the context may be left in a task other than the one that entered it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from .._core.call.attempt_gate import AttemptGate
from .._core.call.context import CONTEXT, CallContext
from .._core.call.driver_plan import FindBreaker
from .._core.call.plan import PLAIN, Plan
from .._core.call.recovery import Recovery
from .._core.call.rejection import open_breaker_rejections, record_unsent, reject_at_gate, reject_expired
from .._core.call.steps import Action, FailedCall
from .._core.classify.attach import LATEST_RECORD
from .asyncio_timeouts import begin
from .attempt_limit import limited, limited_by_trio, timed_out
from .loop_end import end_of_loop
from .slow_path import pass_gate, recover
from .slow_path_runner import ASYNC, carry_out_async

__all__ = ["compile_async"]

_get_context, _set_context, _reset_context = CONTEXT.get, CONTEXT.set, CONTEXT.reset


def compile_async(plan: Plan, fn: Callable[..., Any], find_breaker: FindBreaker | None = None) -> Callable[..., Any]:
    """Return async `fn` under the plan; the result is safe across tasks and event loops."""
    (
        now, limit, per_attempt, keys, own_breaker, deposits, window, hold, take_at_once, new_slot, new_stamps,
        successes, counts,
    ) = plan.for_driver()  # fmt: skip
    deposited: Any = None if deposits is None else deposits.numbers
    reject_open = open_breaker_rejections(plan)

    async def call(*args: Any, **kwargs: Any) -> Any:
        breaker = own_breaker
        if breaker is None and find_breaker is not None:
            breaker = find_breaker(args, kwargs)
        started = now()
        outer = _get_context()
        permit: Any = True  # in place of the permit of a breaker, where there is none
        if breaker is not None:
            permit = breaker.generation
            if not permit and started < breaker.rejects_until and not plan.gate.wait_for_breaker:
                raise reject_open(breaker, outer, started)
        deadline, until = started + limit, started + per_attempt
        if outer is not None:
            around = tuple(outer)
            if around:  # else the call has ended in which this was started
                ends = around[1] if around[0].clock is plan.clock else started + around[1] - around[0].clock.monotonic()
                if ends < deadline:
                    deadline = ends
                    if deadline <= started:
                        raise reject_expired(plan, outer)
                    if until > deadline:
                        until = deadline
        key = None
        if keys is not None:
            key, args, kwargs = keys.fill(args, kwargs)
            started = now()  # the user's function that makes keys may be slow; a send counts from now on
            if started >= deadline:
                raise reject_expired(plan, outer)
        slot: Any = None
        try:
            if hold.current:  # the API has asked to wait
                permit = None
            elif (
                window is not None
                and permit
                and window.fast_path
                and window.sends[0] + window.span <= started < window.until
            ):
                window.sends.append(started)  # see `WindowSends` for why no lock is needed
            elif take_at_once is not None:
                if new_slot is not None:
                    slot = new_slot(args, kwargs, end_of_loop())  # before it is taken
                permit = take_at_once(permit, started, deadline, slot)
            elif not permit and breaker is not None:
                permit = breaker.admit_closed()
            if permit:
                if deposits is not None:
                    if started >= deposits.end:
                        deposits.close_slice(started)
                    next(deposited)
                stamps = None
                context: Any = [plan, deadline, until]
                if new_stamps is not None:
                    stamps = new_stamps()
                    context = [plan, deadline, until, key, stamps]
                timer = None
                record, token = LATEST_RECORD[0], None
                try:
                    token = _set_context(context)
                    if until != inf:
                        timer = begin(until, started, now)
                    if timer is None and until != inf:
                        result = await limited_by_trio(fn, args, kwargs, until - started)
                    else:
                        result = await (fn(*args, **kwargs) if kwargs else fn(*args))
                    try:
                        plain = result.__class__ in PLAIN
                    except TypeError:  # a class without a hash, because its metaclass has none
                        plain = False
                    failed = None if plain else plan.inspect_result(result)
                except Exception as error:
                    failed = error
                except BaseException as error:
                    if timer is not None and timer.end(error):
                        failed = timed_out(until - started)
                    else:
                        failed_call = FailedCall(plan.operation, args, kwargs, key)
                        begun = CallContext(plan, deadline, until, key, stamps)
                        Recovery(
                            plan.with_breaker(breaker), failed_call, begun, context, permit, started, outer
                        ).abandon(error)
                        raise
                finally:
                    try:
                        context.clear()
                    finally:
                        if token is not None and _get_context() is context:  # else it ends in another task's context
                            _reset_context(token)
                        if timer is not None:
                            timer.end()
        finally:
            if slot is not None:  # taken or not; nobody runs or waits with it any more
                slot.gone, admission = True, plan.gate.admission
                assert admission is not None
                try:
                    admission.running.discard(slot)
                finally:
                    if admission.queued:
                        admission.hand_on()
        if not permit:
            failed_call = FailedCall(plan.operation, args, kwargs, key)
            return await call_through_gate(plan.with_breaker(breaker), fn, failed_call, deadline, outer)
        if failed is None:
            next(successes)
            durations = counts.ok_durations
            if durations is not None:
                ended = now()
                durations.samples.append(ended - started)
                if ended >= durations.end:
                    durations.close_slice(ended)
            if breaker is not None:
                if permit is breaker.untimed_generation:  # what `Breaker.succeeded` does while it is closed
                    outcomes = breaker.outcomes
                    breaker.consecutive_failures = 0
                    if started >= outcomes.end:
                        outcomes.close_slice(started)
                    next(outcomes.numbers)
                elif (ended := now()) - started <= breaker.slow_after and permit is breaker.generation:
                    outcomes = breaker.outcomes
                    breaker.consecutive_failures = 0
                    if ended >= outcomes.end:
                        outcomes.close_slice(ended)
                    next(outcomes.numbers)
                else:
                    breaker.succeeded(permit, started)
                    plan.with_breaker(breaker).emit_breaker_events()
            return result
        token = timer = None  # thousands of calls may wait
        failed_call = FailedCall(plan.operation, args, kwargs, key)
        begun = CallContext(plan, deadline, until, key, stamps)
        recovery = Recovery(plan.with_breaker(breaker), failed_call, begun, context, permit, started, outer, record)
        try:
            return await carry_out_async(recover(recovery, fn, failed, ASYNC))
        finally:
            failed = None  # the error's traceback holds this frame: without this they would be a cycle

    return call


async def call_through_gate(
    plan: Plan, fn: Callable[..., Any], call: FailedCall, deadline: float, outer: list[Any] | None
) -> Any:
    """Make a call whose first attempt may have to wait, or needs a slot or the permit of a trial.

    Whatever interrupts it, slot and permit go back, each by one call into C.

    Raises:
        RejectedError: the attempt was rejected, and nothing was sent.
    """
    gate = AttemptGate(plan.gate, call, deadline, is_over=end_of_loop())
    failed: Any = None
    step: Any = None
    try:
        try:
            step = gate.next_step()
            if step.action is not Action.SEND:
                await carry_out_async(pass_gate(gate, step, ASYNC))
        except BaseException as error:
            gate.withdraw()
            record_unsent(plan, call.key, error, outer, gate.began)
            raise
        if gate.rejection is not None:
            raise reject_at_gate(plan, gate, outer)
        begun = plan.begin_first_attempt(gate.now, gate.deadline, call.key)
        context, record = list(begun), LATEST_RECORD[0]
        try:
            CONTEXT.set(context)
            result = await limited(fn, call.args, call.kwargs, begun.until - gate.now)
            try:
                plain = result.__class__ in PLAIN
            except TypeError:  # a class without a hash, because its metaclass has none
                plain = False
            failed = None if plain else plan.inspect_result(result)
        except Exception as error:
            failed = error
        except BaseException as error:
            Recovery(plan, call, begun, context, gate.permit, gate.now, outer).abandon(error)
            raise
        finally:
            try:
                context.clear()
            finally:
                if CONTEXT.get() is context:
                    CONTEXT.set(outer)
        gate.release_slot()
        if failed is None:
            gate.report_success()
            plan.count_end("ok", gate.began)
            return result
        recovery = Recovery(plan, call, begun, context, gate.permit, gate.now, outer, record)
        return await carry_out_async(recover(recovery, fn, failed, ASYNC))
    finally:
        failed = step = None  # the error's traceback holds this frame: without this they would be a cycle
        if gate.slot is not None:
            gate.slot.gone = True
        if gate.payment.ticket is not None:
            gate.payment.ticket.gone = True
        try:
            gate.running.discard(gate.slot)
        finally:
            try:
                gate.permits.discard(gate.trial)
            finally:
                gate.release_slot()
