"""Keeps the subscriptions of one connection: requested, live, or being removed."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Literal

from .dialect import Arg

__all__ = ["Subscription", "Subscriptions", "Wanted"]

Wanted = dict[Hashable, Arg]
"""The subscriptions that the user wants, by id, in the order in which the user asked for them."""


@dataclass(slots=True)
class Subscription:
    """A subscription on one connection.

    Attributes:
        arg: the subscription in the venue's notation.
        state: `requested`, `live`, or `leaving` once the request to remove it was sent.
        since: monotonic instant from which the venue's answer is awaited.
    """

    arg: Arg
    state: Literal["requested", "live", "leaving"]
    since: float


class Subscriptions:
    """The subscriptions of one connection.

    Attributes:
        by_id: the subscriptions that were requested on this connection.
    """

    def __init__(self) -> None:
        self.by_id: dict[Hashable, Subscription] = {}
        self._renewing: dict[Hashable, float] = {}  # with the instant from which each is renewed; all are in `by_id`

    def forget(self, ids: Iterable[Hashable]) -> None:
        """Treat these as never requested; those that are wanted are requested again."""
        for id_ in ids:
            self.by_id.pop(id_, None)
            self._renewing.pop(id_, None)

    def renew(self, ids: Iterable[Hashable], now: float, delay: float = 0.0) -> None:
        """Remove these after a delay and request them again: the venue would reject a second request alone."""
        for id_ in ids:
            subscription = self.by_id.get(id_)
            # One that is leaving is requested again anyway, once its removal is acknowledged.
            if subscription is not None and subscription.state != "leaving":
                self._renewing[id_] = min(self._renewing.get(id_, inf), now + delay)
                subscription.since = now

    def unanswered(self) -> list[Hashable]:
        """Return the ids that were requested and not answered."""
        return [id_ for id_, subscription in self.by_id.items() if subscription.state == "requested"]

    def missing(self, wanted: Wanted) -> list[Hashable]:
        """Return the ids that are wanted and not requested."""
        return [id_ for id_ in wanted if id_ not in self.by_id]

    def all_live(self, wanted: Wanted) -> bool:
        """Return True if everything wanted is live."""
        return all(id_ in self.by_id and self.by_id[id_].state == "live" for id_ in wanted)

    def any_live(self) -> bool:
        """Return True if the venue confirmed at least one."""
        return any(subscription.state == "live" for subscription in self.by_id.values())

    def to_remove(self, wanted: Wanted, now: float) -> list[Hashable]:
        """Return the ids to unsubscribe now: live ones that are no longer wanted, and those to request again."""
        unwanted = [id_ for id_, item in self.by_id.items() if item.state == "live" and id_ not in wanted]
        return unwanted + [id_ for id_, due in self._renewing.items() if due <= now and id_ not in unwanted]

    def removal_at(self, wanted: Wanted) -> float:
        """Return the instant from which there is something to unsubscribe; inf if there is nothing."""
        if any(item.state == "live" and id_ not in wanted for id_, item in self.by_id.items()):
            return -inf
        return min(self._renewing.values(), default=inf)

    def mark_requested(self, ids: Iterable[Hashable], wanted: Wanted, now: float) -> None:
        """Record that the request for these was sent."""
        for id_ in ids:
            self.by_id[id_] = Subscription(wanted[id_], "requested", now)

    def mark_leaving(self, ids: Iterable[Hashable], now: float) -> None:
        """Record that the request to remove these was sent."""
        for id_ in ids:
            self._renewing.pop(id_, None)
            self.by_id[id_].state, self.by_id[id_].since = "leaving", now
