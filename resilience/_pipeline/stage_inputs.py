"""Makes what the built-in stages get: for their layers around a compiled call, and to describe themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.call.operation_info import OperationInfo, fence_of
from .._core.call.plan import Plan
from .._core.call.steps import FailedCall
from .._core.policy.policy import Policy
from .._core.policy.sections import ReconcileSettings
from .._core.stages.breaker import Breaker
from .._core.stages.built_in_stage import LayerInputs, StageView
from .._drivers.hedging import race_async, race_sync
from .._drivers.stage_layers import let_others_run, let_others_run_async
from .fresh_reads import needs_fresh_reads
from .shared_state import SharedState

__all__ = ["layer_inputs", "stage_view"]


def layer_inputs(
    plan: Plan, fn: Callable[..., Any], *, asynchronous: bool, skip: int, memory: Callable[[], dict[str, Any]]
) -> LayerInputs:
    """Return what the layers around the calls of a function are made of; the arguments are those of `LayerInputs`."""
    return LayerInputs(
        plan=plan,
        memory=memory,
        asynchronous=asynchronous,
        fn=fn,
        skip=skip,
        race=race_async if asynchronous else race_sync,
        new_failed_call=lambda args, kwargs: FailedCall(plan.operation, args, kwargs, None),
        let_others_run=let_others_run_async if asynchronous else let_others_run,
        needs_fresh_reads=needs_fresh_reads,
    )


def stage_view(policy: Policy, info: OperationInfo, shared: SharedState, breaker: Breaker | None) -> StageView:
    """Return what the stages of a policy describe."""
    quotas = shared.limits.quotas(policy, info, {})
    return StageView(
        policy=policy,
        operation=info,
        breaker=breaker,
        quotas=quotas.entries if quotas is not None else (),
        admission=shared.limits.admission(policy),
        fence=fence_of(policy.reconcile or ReconcileSettings(), info),
        now=shared.clock.monotonic(),
    )
