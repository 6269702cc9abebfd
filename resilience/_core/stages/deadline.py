"""Describes the stage deadline: one time limit for the call, its hedges and the calls inside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .built_in_stage import BuiltInStage, StageView
from .duration_text import format_duration
from .flowchart import Flowchart

__all__ = ["DeadlineStage"]


class DeadlineStage(BuiltInStage):
    """The time limit of the whole call."""

    name = "deadline"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return the seconds of the whole call; None without a limit."""
        return {"deadline": view.policy.deadline}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield the limit."""
        if described["deadline"] is None:
            yield "A call has no time limit."
        else:
            yield f"The whole call, waits included, may take {format_duration(described['deadline'])}."

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Write the limit beside the caller."""
        if described["deadline"] is not None:
            chart.extend("caller", f", {format_duration(described['deadline'])} in all")
