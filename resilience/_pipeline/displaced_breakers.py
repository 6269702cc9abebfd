"""Keeps the breakers that another policy of the same name has displaced, for as long as calls may still find them.

Two policies made in Python may have one name and different settings. Calls that find breakers by key refer to few of
them, so each policy's displaced ones are kept here. They are gone with the last compiled call of their settings. All
other calls refer to their breaker, which is found here while one of them exists.
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import proxy, ref

from .._core.base.bounded_dict import BoundedDict
from .._core.policy.policy import Policy
from .._core.policy.sections import BreakerSettings
from .._core.stages.breaker import NEW, Breaker

__all__ = ["DisplacedBreakers", "OwnBreakers"]


class OwnBreakers(BoundedDict[str, Breaker]):
    """By key, the displaced breakers of one policy name and settings. Each call that finds breakers by key holds it.

    Attributes:
        settings: those of the breakers. Held, because their identity may be what they are found by.
    """

    def __init__(self, limit: int, settings: BreakerSettings) -> None:
        me = proxy(self)  # no cycle: it ends with the last call that holds it
        super().__init__(limit, lambda: _closed(me))
        self.settings = settings


class DisplacedBreakers:
    """The displaced breakers of one pool, which holds its lock around each change.

    Args:
        limit: how many closed ones are kept for each policy name and settings.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._own: dict[tuple[str, object], ref[OwnBreakers]] = {}
        self._in_use: dict[int, tuple[str, ref[Breaker]]] = {}

    def of(self, policy: Policy) -> OwnBreakers | None:
        """Return where those of a policy are kept; None when the policy has no breaker."""
        settings = policy.breaker
        if settings is None:
            return None
        own = self.find(policy.name, settings)
        if own is None:
            for name in [name for name, reference in self._own.copy().items() if reference() is None]:
                self._own.pop(name, None)
            created = OwnBreakers(self._limit, settings)
            # `setdefault`: a signal handler may have made them while these were made.
            own = self._own.setdefault((policy.name, _hashable(settings)), ref(created))()
        return own

    def find(self, policy: str, settings: BreakerSettings) -> OwnBreakers | None:
        """Return where those of this name and settings are kept; None where no call would find them."""
        reference = self._own.get((policy, _hashable(settings))) if self._own else None
        return None if reference is None else reference()

    def get(self, policy: str, settings: BreakerSettings, key: str, own: OwnBreakers | None) -> Breaker | None:
        """Return the displaced breaker of a key and of these settings; `own` as returned by `of`, if that is known."""
        own = own if own is not None else self.find(policy, settings)
        if own and (displaced := own.get(key)) is not None:
            return displaced
        in_use = (reference() for of_key, reference in self._in_use.copy().values() if of_key == key)
        return next((each for each in in_use if each and each.policy == policy and each.settings == settings), None)

    def add(self, key: str, breaker: Breaker) -> None:
        """Add a breaker whose key gets one of other settings: it stays for the calls that still use it."""
        own = None if breaker.use is NEW else self.find(breaker.policy, breaker.settings)
        if own is not None:
            own[key] = breaker
            return
        self._in_use = {name: row for name, row in self._in_use.copy().items() if row[1]() is not None}
        self._in_use[id(breaker)] = key, ref(breaker)

    def all(self) -> list[Breaker]:
        """Return all of them."""
        # Each copy is one call into C, so that another thread or a signal handler may add breakers.
        kept = [own for reference in self._own.copy().values() if (own := reference()) is not None]
        in_use = [breaker for _, reference in self._in_use.copy().values() if (breaker := reference()) is not None]
        return [*(breaker for own in kept for breaker in own.copy().values()), *in_use]


def _hashable(settings: BreakerSettings) -> object:
    """Return the settings, or their identity where the object that returns keys has no hash."""
    try:
        hash(settings)
    except TypeError:
        return id(settings)
    return settings


def _closed(breakers: OwnBreakers) -> Iterable[str]:
    return [key for key, breaker in breakers.copy().items() if breaker.state == "closed"]
