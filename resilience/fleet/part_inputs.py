"""Defines what a shared part is made from."""

from __future__ import annotations

import weakref
from typing import NamedTuple

from .._core.base.clock import Clock
from .._core.policy.shared_settings import SharedSettings
from .._pipeline.shared_state import SharedState
from .keys import KeySpace
from .link import StoreLink
from .membership import Membership

__all__ = ["PartInputs"]


class PartInputs(NamedTuple):
    """What a part is made from.

    Attributes:
        settings: the section `shared`.
        clock: the clock of the policies; the link's thread itself goes by `time.monotonic`.
        keys: names the keys in the store.
        membership: the member that this process is.
        link: wakes the thread; a weak reference, because the link refers to its parts.
        shared: the state of the policies. A part refers to what it needs of it, and not to the whole, which would never
            be freed: it refers to the fleet, and the link to the parts.
    """

    settings: SharedSettings
    clock: Clock
    keys: KeySpace
    membership: Membership
    link: weakref.ref[StoreLink]
    shared: SharedState
