"""Defines what a set of policies that shares its limits with other processes knows of their fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .._core.policy.shared_settings import SharedSettings
from .._core.stages.durations import Durations

__all__ = ["FleetMember"]


class FleetMember(Protocol):
    """What is shared with other processes; `resilience/fleet/` implements it."""

    settings: SharedSettings
    parts: Mapping[str, Any]

    @property
    def is_up(self) -> bool:
        """Whether the store answers."""

    @property
    def round_trips(self) -> Durations:
        """How long the store took to answer."""

    def close(self) -> None:
        """Share nothing any more."""

    def describe(self) -> dict[str, Any]:
        """Return the state of what is shared, as plain data."""
