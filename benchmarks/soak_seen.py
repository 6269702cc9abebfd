"""Measures a soak: the connections as the exchange sees them, and the updates that the bots received."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resilience.sandbox import Sandbox

from .stream_bots import Bot, private, public

__all__ = ["Observer", "SoakResult"]

_RECENT = 200  # every open connection is among the last 200


@dataclass
class SoakResult:
    """The result of a soak.

    Attributes:
        disconnects: connections that met a fault, by kind.
        seconds: sandbox seconds from the first to the last disconnect.
        connects: handshakes.
        missing: subscriptions that were missing in the end.
        duplicates: subscriptions that were made twice on one connection, at any time.
        violations: other limits exceeded.
        subscribed: average share of the wanted subscriptions that were active.
        fed: share of the feeds' updates that arrived.
        ends: orders that ended, times the number of bots.
        received: how many of these ends arrived at the bots.
        fetched: how many of those came over REST.
        tasks: asyncio tasks left when the bots were closed.
        threads: threads left when the loop was closed.
        errors: errors that the bots got, by category or code.
    """

    disconnects: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    connects: int = 0
    missing: int = 0
    duplicates: int = 0
    violations: int = 0
    subscribed: float = 0.0
    fed: float = 0.0
    ends: int = 0
    received: int = 0
    fetched: int = 0
    tasks: int = 0
    threads: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def flawless(self) -> bool:
        """Return whether nothing was lost, duplicated, exceeded or left behind."""
        clean = self.missing == self.duplicates == self.violations == self.tasks == self.threads == 0
        return clean and self.received == self.ends


class Observer:
    """Observes the bots of a soak from the exchange's side."""

    def __init__(self, exchange: Sandbox, version: str, bots: Sequence[Bot]) -> None:
        self._sockets, self._bots = exchange.sockets, bots
        self._feeds = public(version)
        self._wanted = [str(arg) for arg in public(version) + private(version)]
        self._shares: list[float] = []
        self._fed_before = 0

    def begin(self) -> None:
        """Start to count the feeds' updates."""
        self._fed_before = self._fed()

    def sample(self) -> None:
        """Record the share of subscriptions that are active now."""
        self._shares.append(self.active_share())

    def end(self, result: SoakResult) -> None:
        """Record the average share of subscriptions, and the share of the feeds' updates that arrived."""
        result.subscribed = sum(self._shares) / max(1, len(self._shares))
        sent = (self._fed() - self._fed_before) * len(self._bots)
        result.fed = sum(len(bot.received.fed) for bot in self._bots) / max(1, sent)

    def active_share(self) -> float:
        """Return the share of the wanted subscriptions, all bots together, that are active on working connections."""
        active: Counter[str] = Counter()
        for connection in self._sockets.connections[-_RECENT:]:
            if connection.open and not connection.silent:
                # A set, so that a duplicate does not count twice; of a copy, because the loop's thread appends.
                active.update({str(arg) for arg in list(connection.subscriptions)})
        bots = len(self._bots)
        return sum(min(bots, active[arg]) for arg in self._wanted) / (bots * len(self._wanted))

    def count_missed(self, orders: Mapping[str, str]) -> int:
        """Return how many ends of orders did not arrive, all bots together."""
        return sum(bot.received.ends.get(client_id) != end for bot in self._bots for client_id, end in orders.items())

    def finish(self, result: SoakResult, orders: Mapping[str, str]) -> None:
        """Record the state in the end."""
        violations = self._sockets.violations
        result.missing = round((1 - self.active_share()) * len(self._bots) * len(self._wanted))
        result.connects = self._sockets.connects
        result.duplicates = sum("subscribed twice" in one for one in violations)
        result.violations = len(violations) - result.duplicates
        result.ends = len(orders) * len(self._bots)
        result.received = result.ends - self.count_missed(orders)
        for bot in self._bots:
            result.fetched += bot.received.fetched
            result.errors += bot.received.errors

    def _fed(self) -> int:
        return sum(self._sockets.last(arg) for arg in self._feeds)
