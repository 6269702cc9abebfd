"""Finds the stages of other packages: an entry point of the group `resilience.stages` gives a `Stage` class a name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ...errors import PolicyError
from ..policy.policy import Policy
from .stage import Stage

__all__ = ["missing_stage", "stages_of"]

_GROUP = "resilience.stages"


# Cached, because it reads the metadata of every installed package.
@cache
def _entry_points() -> Mapping[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=_GROUP)}


def missing_stage(name: str) -> str:
    """Return a message that no stage of this name is installed, and which are; empty for one that is."""
    if name in _entry_points():
        return ""
    return f"no stage {name!r} is installed; available: {', '.join(sorted(_entry_points())) or 'none'}"


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
    try:
        stage = _entry_points()[name].load()(**options)
    except Exception as error:  # the code of another package: whatever it raises is a mistake in the policy file
        raise PolicyError(f"policy {policy!r}: stage {name!r} cannot be made: {error}") from error
    if not isinstance(stage, Stage):
        raise PolicyError(f"policy {policy!r}: stage {name!r} is a {type(stage).__name__}, not a Stage")
    return stage
