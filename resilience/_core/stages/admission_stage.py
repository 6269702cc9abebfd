"""Describes the stage admission: slots and lanes, and settings of them that have no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..policy.policy import Policy
from .built_in_stage import BuiltInStage, StageView, Warnings
from .flowchart import Flowchart

__all__ = ["AdmissionStage"]


class AdmissionStage(BuiltInStage):
    """The slots of the attempts that run at once."""

    name = "admission"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return the limits, and how many attempts run and wait in each lane."""
        admission = view.admission
        if admission is None:
            return {"admission": None}
        lanes = {lane or "default": counts for lane, counts in admission.counts().items()}
        limits = {"max_concurrent": admission.settings.max_concurrent, "max_queue": admission.settings.max_queue}
        return {"admission": {**limits, "lanes": lanes}}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield the limits and the lanes."""
        if (admission := described["admission"]) is not None:
            lanes = [f"{lane}" for lane in admission["lanes"] if lane != "default"]
            limits = f"{admission['max_concurrent']} attempts run at once and {admission['max_queue']} wait for a slot"
            yield f"At most {limits}; separate lanes: {', '.join(lanes) or 'none'}."

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Draw the check for a free slot."""
        if (admission := described["admission"]) is not None:
            text = f"one of {admission['max_concurrent']} slots free?"
            rejected = f"{admission['max_queue']} wait already"
            chart.check("slot", text, passed="yes, or after a wait", rejected=rejected)

    def warnings(self, policy: Policy) -> Warnings:
        """Yield a queue that outlasts the deadline, and reserves that keep nobody out."""
        rules = policy.admission
        if rules is None:
            return
        if policy.deadline is not None and rules.max_queue and rules.queue_timeout > policy.deadline:
            message = f"queue_timeout of {rules.queue_timeout:g}s is longer than the deadline of {policy.deadline:g}s"
            yield ("admission.queue_timeout", "deadline"), message
        # Calls without a lane have priority 0.
        lowest = min([0, *(lane.priority for lane in rules.lanes.values())])
        for name, lane in rules.lanes.items():
            if lane.reserve and lane.priority <= lowest:
                message = f"the lane {name!r} reserves slots, but no lane has a lower priority"
                yield (f"admission.lanes.{name}",), f"{message}: the reserve has no effect"
