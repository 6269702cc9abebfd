"""Defines what a set of policies that shares its limits with other processes knows of their fleet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from .._core.policy.shared_settings import SharedSettings

__all__ = ["FleetMember"]


class FleetMember(Protocol):
    """What is shared with other processes; `resilience/fleet/` implements it."""

    settings: SharedSettings
    parts: Mapping[str, Any]

    def close(self) -> None:
        """Share nothing any more."""

    def describe(self) -> dict[str, Any]:
        """Return the state of what is shared, as plain data."""
