"""Describes the stage quota: the windows that an operation pays, and attempts that they never allow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..policy.policy import Policy
from .built_in_stage import BuiltInStage, StageView, Warnings
from .duration_text import format_duration
from .flowchart import Flowchart
from .quota_entry import Quota

__all__ = ["QuotaStage"]


class QuotaStage(BuiltInStage):
    """The API's rate limits."""

    name = "quota"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return each window, without those of key functions, which belong to no operation alone."""
        return {"quota": [_describe_quota(quota, view.now) for quota in view.quotas]}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield what each window allows."""
        for quota in described["quota"]:
            span = format_duration(quota["span"])
            attempts = "1 attempt is" if quota["burst"] == 1 else f"{quota['burst']} attempts are"
            yield f"At most {attempts} sent per {span}; others wait if the deadline allows it."

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Draw a check for each window."""
        for number, quota in enumerate(described["quota"], 1):
            text = f"fewer than {quota['burst']} attempts in {format_duration(quota['span'])}?"
            chart.check(f"quota{number}", text, passed="yes, or after a wait", rejected="not before the deadline")

    def warnings(self, policy: Policy) -> Warnings:
        """Yield windows that never allow all attempts before the deadline."""
        retry, limit = policy.retry, policy.deadline
        if retry is None or limit is None:
            return
        for index, quota in enumerate(policy.quota):
            weight = quota.weight if isinstance(quota.weight, int) else 1
            span, attempts = quota.burst / quota.rate, quota.burst // max(1, weight)
            if weight and span >= limit and attempts < retry.max_attempts:
                window = f"this window allows {attempts} per {span:g}s"
                message = f"max_attempts of {retry.max_attempts} is never reached: {window}"
                yield (f"quota[{index}].rate", f"quota[{index}]"), f"{message}, and the deadline is {limit:g}s"


def _describe_quota(quota: Quota, now: float) -> dict[str, Any]:
    held_for = quota.held_until - now
    return {
        "key": quota.key,
        "burst": quota.settings.burst,
        "span": quota.span,
        "left": quota.left(now),
        "held_for": held_for if held_for > 0 else None,
    }
