"""Describes the stage attempt timeout: the time limit of one attempt. Drivers and clients keep it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .built_in_stage import BuiltInStage, StageView
from .duration_text import format_duration
from .flowchart import Flowchart

__all__ = ["AttemptTimeoutStage"]


class AttemptTimeoutStage(BuiltInStage):
    """The time limit of one attempt."""

    name = "attempt_timeout"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return the seconds of one attempt; None without a limit."""
        return {"attempt_timeout": view.policy.attempt_timeout}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield the limit."""
        limit = described["attempt_timeout"]
        if limit is not None:
            yield f"An attempt may take {format_duration(limit)}, or what remains of the call if that is less."

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Write the limit beside the attempt."""
        if described["attempt_timeout"] is not None:
            chart.extend("send", f", at most {format_duration(described['attempt_timeout'])}")
