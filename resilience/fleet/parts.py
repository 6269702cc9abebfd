"""Lists what processes can share, by the names of the setting `share`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .part_inputs import PartInputs
from .shared_holds import SharedHolds
from .shared_part import SharedPart
from .shared_switch import SharedSwitch

__all__ = ["PARTS"]

PARTS: Mapping[str, Callable[[PartInputs], SharedPart]] = {"holds": SharedHolds, "switch": SharedSwitch}
"""What makes each part."""
