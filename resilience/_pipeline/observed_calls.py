"""Compiles functions that wait for something to happen: their errors are classified and reported, and nothing else.

A stream may be quiet for hours. No limit, retry, breaker, quota, hold or cache applies, whatever the policy says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._core.call.operation_info import OperationInfo
from .._core.call.plan import Plan
from .._core.policy.policy import Policy
from .._core.stages.hold import Hold, Holds, OperationHold
from .._drivers.async_ import compile_async
from .pipeline import Pipeline

__all__ = ["observe"]


def observe(pipeline: Pipeline, fn: Callable[..., Any], info: OperationInfo) -> Callable[..., Any]:
    """Return an async function whose errors are classified and reported under a policy, and raised unchanged."""
    policy, shared = pipeline.policy, pipeline.shared
    plan = Plan(
        _without_stages(policy),
        replace(info, classify_results=False),
        fn,
        clock=shared.clock,
        events=shared.events,
        classifier=shared.classifier_of(policy),
        schedule=lambda: None,
        breaker=None,
        budget=None,
        make_key=shared.make_key,
        hold=_NoHold(Holds(), ("", "", info.operation)),
    )
    return compile_async(plan, fn)


def _without_stages(policy: Policy) -> Policy:
    """Return a policy of the same name, tables and exceptions, which does nothing to a call."""
    return Policy(
        name=policy.name, codes=policy.codes, unknown_errors=policy.unknown_errors, pass_through=policy.pass_through
    )


class _NoHold(OperationHold):
    """Holds nothing, whatever the API asks for."""

    __slots__ = ()

    def start(self, _now: float, _hold: Hold) -> bool:
        """Keep no hold."""
        return False
