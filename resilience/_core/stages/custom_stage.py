"""Describes custom stages, which other packages and programs add. They run around each attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .built_in_stage import BuiltInStage, StageView

__all__ = ["CustomStages"]


class CustomStages(BuiltInStage):
    """The custom stages of a policy, by name."""

    name = "stages"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return the names of the stages."""
        return {"stages": [_stage_name(use) for use in view.policy.stages]}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield the names."""
        if described["stages"]:
            yield f"Custom stages, run around each attempt: {', '.join(described['stages'])}."


def _stage_name(use: Any) -> str:
    return str(use[0]) if isinstance(use, tuple) else type(use).__name__
