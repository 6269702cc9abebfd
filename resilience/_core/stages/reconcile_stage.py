"""Describes the stage reconcile: how an uncertain write is looked up. Its decisions are in `call/reconcile.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..policy.policy import Policy
from ..policy.sections import ReconcileSettings
from .built_in_stage import BuiltInStage, StageView, Warnings
from .duration_text import format_duration
from .fence import Fence
from .flowchart import Flowchart

__all__ = ["ReconcileStage"]


class ReconcileStage(BuiltInStage):
    """The lookups of a write of uncertain outcome."""

    name = "reconcile"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return the lookups and the API's bounds."""
        rules, fence = view.policy.reconcile or ReconcileSettings(), view.fence
        return {
            "reconcile": {
                "early_checks": rules.early_checks,
                "wait": rules.wait,
                "window": fence.window,
                "processing": fence.processing,
                "lag": fence.lag,
                "fence": fence.whole if rules.fence is None else rules.fence,
            }
        }

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield when a write is looked up."""
        if described["idempotent"]:
            return
        reconcile = described["reconcile"]
        checks, wait = reconcile["early_checks"], format_duration(reconcile["wait"])
        yield (
            f"If a write's outcome is uncertain and a reconciler is set, it is looked up {checks} times, {wait} apart, "
            f"and once more at the fence, at most {format_duration(reconcile['fence'])} after the last send. Otherwise "
            "it is reported as unknown."
        )

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Draw what happens to a failure that may be tried again."""
        again = chart.again or chart.failed
        if described["idempotent"]:  # a call that may be sent twice needs no lookup
            chart.arrow("failure", again, "retryable")
            return
        fence = format_duration(described["reconcile"]["fence"])
        chart.arrow("failure", again, "retryable, and it was not executed")
        look = chart.node("look", "look it up: was it executed?", "question")
        chart.arrow("failure", look, "may have been executed")
        chart.arrow("look", "answer", "found")
        chart.arrow("look", again, f"proven not executed, within {fence}")
        unknown = chart.node("unknown", "reported as unknown: executed is maybe", "end")
        chart.arrow("look", unknown, "no proof in time")

    def warnings(self, policy: Policy) -> Warnings:
        """Yield a fence that is too short, and a deadline that ends before any fence."""
        rules = policy.reconcile
        if rules is None:
            return
        default = Fence()
        window = default.window if rules.window is None else rules.window
        rest = (default.processing if rules.processing is None else rules.processing) + (
            default.lag if rules.lag is None else rules.lag
        )
        safe = 2 * window + rest  # 2 W + P + L, see docs/explanation/exactly-once.md
        if rules.fence is not None and rules.fence < safe:
            message = f"reconcile.fence of {rules.fence:g}s is shorter than 2 x window + processing + lag = {safe:g}s"
            yield ("reconcile.fence",), f"{message}: a write that is still being processed could be sent twice"
        earliest = min(window + rest, safe if rules.fence is None else rules.fence)
        if policy.deadline is not None and policy.deadline <= earliest:
            deadline = f"the deadline of {policy.deadline:g}s"
            message = f"the fence ends at least {earliest:g}s after the last send, not before {deadline}"
            end = f"a write that was not executed is reported as unknown; raise the deadline above {earliest:g}s"
            yield ("reconcile", "reconcile.window", "deadline"), f"{message}: {end}"
