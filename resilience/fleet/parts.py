"""Lists what processes can share, by the names of the setting `share`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .merged_breakers import MergedBreakers
from .part_inputs import PartInputs
from .quota_leases import QuotaLeases
from .shared_budget import SharedBudgets
from .shared_holds import SharedHolds
from .shared_part import SharedPart
from .shared_switch import SharedSwitch

__all__ = ["PARTS"]

PARTS: Mapping[str, Callable[[PartInputs], SharedPart]] = {
    "quota": QuotaLeases,
    "holds": SharedHolds,
    "breaker": MergedBreakers,
    "budget": SharedBudgets,
    "switch": SharedSwitch,
}
"""What makes each part."""
