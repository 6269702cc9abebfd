"""Keeps the breakers that another policy of the same name has displaced, for as long as calls may still find them.

Two policies made in Python may have one name and different settings. Their calls find breakers by key and refer to few
of them, so each policy's displaced ones are kept here. They are gone with the last compiled call of their settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from weakref import proxy, ref

from .._core.base.bounded_dict import BoundedDict
from .._core.policy.policy import Policy
from .._core.policy.sections import BreakerSettings
from .._core.stages.breaker import Breaker

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

    def all(self) -> list[Breaker]:
        """Return all of them."""
        # Each copy is one call into C, so that another thread or a signal handler may add breakers.
        kept = [own for reference in self._own.copy().values() if (own := reference()) is not None]
        return [breaker for own in kept for breaker in own.copy().values()]


def _hashable(settings: BreakerSettings) -> object:
    """Return the settings, or their identity where the object that returns keys has no hash."""
    try:
        hash(settings)
    except TypeError:
        return id(settings)
    return settings


def _closed(breakers: OwnBreakers) -> Iterable[str]:
    return [key for key, breaker in breakers.copy().items() if breaker.state == "closed"]
