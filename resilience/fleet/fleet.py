"""Joins one set of policies to the processes that share its limits."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

from .._core.policy.shared_settings import SharedSettings, without_credentials
from .._core.stages.durations import Durations
from .._pipeline.shared_state import SharedState
from .keys import KeySpace
from .link import StoreLink, link_to
from .membership import Membership
from .outage_events import OutageEvents
from .part_inputs import PartInputs
from .parts import PARTS
from .shared_part import SharedPart

__all__ = ["Fleet"]

START_WAIT = 1.0  # seconds


class Fleet:
    """The shared parts of one set of policies. Safe across threads.

    Attributes:
        settings: the section `shared`.
        parts: what is shared, by the names of the setting `share`.
    """

    def __init__(self, settings: SharedSettings, shared: SharedState) -> None:
        """Join the fleet; the connection is made by the link's thread.

        What the others have switched off or hold is obeyed from the first call on: this waits for it, but for no longer
        than `START_WAIT`.
        """
        self.settings = settings
        self._link = link = link_to(settings.url, settings.patience)
        keys = KeySpace(settings.namespace)
        self._place = without_credentials(settings.url)
        self._outages, self._membership = OutageEvents(shared.events, self._place), Membership(keys)
        inputs = PartInputs(settings, shared.clock, keys, self._membership, weakref.ref(link), shared)
        self.parts: Mapping[str, Any] = {name: PARTS[name](inputs) for name in settings.share}
        # Membership is first: a forked child is another member before its parts go on. Listeners come last: what the
        # parts do when the store is lost is done before it is reported.
        parts = (self._membership, *self.parts.values(), self._outages)
        for part in parts:
            link.add(part)
        self._leave = weakref.finalize(self, _leave, link, parts)
        self._leave.atexit = False
        _wait_for(self.parts.values())

    def close(self) -> None:
        """Leave the fleet."""
        self._leave()

    @property
    def is_up(self) -> bool:
        """Whether the store answers."""
        self._link.run()  # in a forked child nobody may have asked anything yet
        return self._link.lost == ""

    @property
    def round_trips(self) -> Durations:
        """How long the store took to answer; without the questions that it did not answer."""
        return self._link.store.round_trips

    def describe(self) -> dict[str, Any]:
        """Return the state of what is shared, as plain data."""
        self._link.run()  # in a forked child nobody may have asked anything yet
        return {
            "store": self._place,
            "namespace": self.settings.namespace,
            "connected": self._link.lost == "",
            "lost": self._link.lost or None,
            "members": self._membership.members,
            "processes": self.settings.processes,
            "member": self._membership.member,
            "round_trip": self._membership.round_trip,
            "trips": self._link.store.trips,
            **{name: part.describe() for name, part in self.parts.items()},
        }


def _wait_for(parts: Iterable[Any]) -> None:
    """Wait until the parts that forbid calls know what is forbidden, or that the store is lost."""
    end = time.monotonic() + START_WAIT
    for part in parts:
        if (is_ready := getattr(part, "is_ready", None)) is not None:
            is_ready.wait(max(0.0, end - time.monotonic()))


def _leave(link: StoreLink, parts: tuple[SharedPart, ...]) -> None:
    for part in parts:
        link.remove(part)
        if (leave := getattr(part, "leave", None)) is not None:
            leave()
