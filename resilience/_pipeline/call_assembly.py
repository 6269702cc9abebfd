"""Assembles the call of one function under its plan: its layers from the attempt outwards, each only if it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._core.call.driver_plan import FindBreaker
from .._core.call.plan import Plan
from .._core.call.stage import Stage
from .._core.stages.hedge import races
from .._drivers.async_ import compile_async
from .._drivers.stage_layers import add_layers
from .._drivers.sync import compile_sync
from .call_tracing import trace_attempts, trace_calls
from .custom_stages import add_stages
from .keyed_breakers import found_before, with_breaker_async, with_breaker_sync
from .keys_in_use import claim_key_async, claim_key_sync
from .own_answers import check_answers_async, check_answers_sync, is_checked
from .shared_state import SharedState
from .stage_inputs import layer_inputs
from .success_reports import report_successes_async, report_successes_sync

__all__ = ["assemble_call"]


def assemble_call(
    plan: Plan,
    fn: Callable[..., Any],
    shared: SharedState,
    stages: Sequence[Stage],
    keys: Mapping[int, str],
    find: FindBreaker | None,
    *,
    skip: int,
    asynchronous: bool,
) -> Callable[..., Any]:
    """Return the function under its plan.

    Args:
        plan: the policy for its operation.
        fn: the function.
        shared: what the policies of a program share.
        stages: the custom stages.
        keys: what the policy's key functions returned, by their number.
        find: finds the breaker of each call; None where the plan has it.
        skip: how many of the first positional arguments are not the operation's own.
        asynchronous: whether the function is async.
    """
    hedged, tracers = races(plan, asynchronous=asynchronous), shared.tracers
    if hedged:
        plan.count_attempts_apart()
    claims = plan.keys is not None and not plan.idempotent
    is_bare = not (tracers or claims or shared.events.successes)
    find_inside = find if find is None or is_bare else found_before
    send = _sending(plan, fn, shared, stages, asynchronous=asynchronous)
    call = (compile_async if asynchronous else compile_sync)(plan, send, find_inside)
    # A listener to successes that comes later has everything compiled again. A race reports its calls by itself.
    if shared.events.successes and not hedged:
        call = (report_successes_async if asynchronous else report_successes_sync)(plan, call)
    if claims:  # no second call with the key of a write is sent while this one is under way
        call = (claim_key_async if asynchronous else claim_key_sync)(plan, call, shared.keys_in_use)
    inputs = layer_inputs(
        plan, fn, asynchronous=asynchronous, skip=skip,
        memory=lambda: shared.memory_of(fn, (plan.policy.name, plan.info.operation, *keys.items())),
    )  # fmt: skip
    call = trace_calls(tracers, plan, add_layers(call, inputs), asynchronous=asynchronous)
    if find is None or is_bare:
        return call
    return (with_breaker_async if asynchronous else with_breaker_sync)(find, call)


def _sending(
    plan: Plan, fn: Callable[..., Any], shared: SharedState, stages: Sequence[Stage], *, asynchronous: bool
) -> Callable[..., Any]:
    """Return what makes one attempt: the function, whose answers are checked, traced, inside the custom stages."""
    send = fn
    if is_checked(plan):
        send = check_answers_async(plan, fn) if asynchronous else check_answers_sync(plan, fn)
    send = trace_attempts(shared.tracers, plan, send, asynchronous=asynchronous)
    return add_stages(plan, send, stages, asynchronous=asynchronous) if stages else send
