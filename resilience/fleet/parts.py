"""Lists what processes can share, by the names of the setting `share`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .part_inputs import PartInputs
from .quota_leases import QuotaLeases
from .shared_part import SharedPart

__all__ = ["PARTS"]

PARTS: Mapping[str, Callable[[PartInputs], SharedPart]] = {"quota": QuotaLeases}
"""What makes each part."""
