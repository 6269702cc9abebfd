"""Finds the stages of other packages: an entry point of the group `resilience.stages` gives a `Stage` class a name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ...errors import PolicyError
from ..base.entry_points import describe_entry_point, installed, load_entry_point
from ..policy.policy import Policy
from .stage import Stage

__all__ = ["check_stages", "missing_stage", "stages_of"]

_GROUP = "resilience.stages"


def missing_stage(name: str) -> str:
    """Return a message that no stage of this name is installed, and which are; empty for one that is."""
    available = installed(_GROUP)
    if name in available:
        return ""
    return f"no stage {name!r} is installed; available: {', '.join(sorted(available)) or 'none'}"


def check_stages(stages: Iterable[Any]) -> None:
    """Refuse what is no `Stage`, before a call would find out.

    Raises:
        TypeError: one is a class, a name, or an object of another class.
    """
    for stage in stages:
        if not isinstance(stage, Stage):
            kind = f"the class {stage.__name__}" if isinstance(stage, type) else f"a {type(stage).__name__}"
            raise TypeError(f"stages takes objects derived from Stage, not {kind}")


def stages_of(policy: Policy) -> tuple[Stage, ...]:
    """Make the stages that a policy names, in its order.

    Raises:
        PolicyError: one is not installed, cannot be made with its options, or is no `Stage`.
    """
    return tuple(_new_stage(policy.name, use) for use in policy.stages)


def _new_stage(policy: str, use: Any) -> Stage:
    if isinstance(use, Stage):
        return use
    name, options = use if isinstance(use, tuple) else (use, {})
    message = missing_stage(name)
    if message:
        raise PolicyError(f"policy {policy!r}: {message}")
    point = installed(_GROUP)[name]
    try:
        stage = load_entry_point(point)(**options)
    except Exception as error:  # the code of another package: whatever it raises is a mistake in the policy file
        raise PolicyError(f"policy {policy!r}: stage {name!r} cannot be made: {error}") from error
    if not isinstance(stage, Stage):
        kind = f"is a {type(stage).__name__}, not a Stage: {describe_entry_point(point)}"
        raise PolicyError(f"policy {policy!r}: stage {name!r} {kind}")
    return stage
