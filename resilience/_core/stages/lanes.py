"""Defines the lanes of an admission, by priority, and the slots of the attempts that run or wait in them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ..policy.section import unchecked
from ..policy.sections import AdmissionSettings, LaneSettings

__all__ = ["CANCEL", "Lane", "Slot", "priority", "settings_of_lanes"]

CANCEL = "cancel"
"""The lane of cancels and of orders that only reduce; it has high priority unless a policy says otherwise."""
_BUILT_IN = {CANCEL: unchecked(LaneSettings, {"priority": 1})}


def priority(settings: AdmissionSettings | None, lane: str) -> int:
    """Return the priority of a lane under these settings."""
    named = settings.lanes.get(lane) if settings is not None else None
    return (named or _BUILT_IN.get(lane) or LaneSettings()).priority


def settings_of_lanes(settings: AdmissionSettings) -> dict[str, LaneSettings]:
    """Return the settings of the nameless lane, of those that there always are, and of the policy's own."""
    return {"": LaneSettings(), **_BUILT_IN, **settings.lanes}


class Lane:
    """One lane and its queue. Changed under the admission's lock alone."""

    __slots__ = ("name", "priority", "reserve", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.priority = self.reserve = 0
        self.waiting: deque[Slot] = deque()


class Slot:
    """The right of one attempt to run: taken while it is in `Admission.running`. Used by one attempt at a time.

    Attributes:
        lane: the attempt's lane.
        gone: the attempt has ended: it neither runs nor waits any more, whatever the sets say.
        is_over: returns whether the event loop of the attempt has ended; None for a thread.
    """

    __slots__ = ("gone", "is_over", "lane", "wake")

    def __init__(self, lane: Lane, is_over: Callable[[], bool] | None = None) -> None:
        self.lane = lane
        self.gone = False
        self.is_over = is_over
        self.wake: Callable[[], Any] | None = None
