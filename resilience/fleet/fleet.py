"""Joins one set of policies to the processes that share its limits."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from .._core.base.clock import Clock
from .._core.base.events import Events
from .._core.policy.shared_settings import SharedSettings, without_credentials
from .keys import KeySpace
from .link import StoreLink, link_to
from .membership import Membership
from .outage_events import OutageEvents
from .part_inputs import PartInputs
from .parts import PARTS
from .shared_part import SharedPart

__all__ = ["Fleet"]


class Fleet:
    """The shared parts of one set of policies. Safe across threads.

    Attributes:
        settings: the section `shared`.
        parts: what is shared, by the names of the setting `share`.
    """

    def __init__(self, settings: SharedSettings, events: Events, clock: Clock) -> None:
        """Join the fleet; the connection is made by the link's thread."""
        self.settings = settings
        self._link = link = link_to(settings.url, settings.patience)
        keys = KeySpace(settings.namespace)
        self._place = without_credentials(settings.url)
        self._outages, self._membership = OutageEvents(events, self._place), Membership(keys)
        inputs = PartInputs(settings, clock, keys, self._membership, weakref.ref(link))
        self.parts: Mapping[str, Any] = {name: PARTS[name](inputs) for name in settings.share}
        # The parts come first: what they do when the store is lost is done before a listener hears of it.
        parts = (*self.parts.values(), self._membership, self._outages)
        for part in parts:
            link.add(part)
        self._leave = weakref.finalize(self, _leave, link, parts)
        self._leave.atexit = False

    def close(self) -> None:
        """Leave the fleet."""
        self._leave()

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


def _leave(link: StoreLink, parts: tuple[SharedPart, ...]) -> None:
    for part in parts:
        link.remove(part)
