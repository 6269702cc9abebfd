"""What the exchange saw of the bots in a soak, and what they heard of its orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from resilience.sandbox import Sandbox

from .stream_bots import Bot, private, public

__all__ = ["Count", "Seen"]

_RECENT = 200  # connections: an open one is among the last so many


@dataclass
class Count:
    """What became of it all.

    Attributes:
        disconnects: connections that met a fault, by kind.
        seconds: how long it took.
        connects: handshakes.
        missing: subscriptions that were not there in the end.
        twice: subscriptions that were made twice on one connection, at any time.
        violations: other limits exceeded.
        subscribed: share of the time, and of what was wanted, that was subscribed to.
        fed: share of the feeds' updates that arrived.
        ends: orders that ended, times the bots.
        heard: how many of these ends the bots heard of.
        fetched: how many of those came by REST.
        tasks: asyncio tasks left when the bots were closed.
        threads: threads left when the loop was closed.
        told: what the bots were told of problems.
    """

    disconnects: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    connects: int = 0
    missing: int = 0
    twice: int = 0
    violations: int = 0
    subscribed: float = 0.0
    fed: float = 0.0
    ends: int = 0
    heard: int = 0
    fetched: int = 0
    tasks: int = 0
    threads: int = 0
    told: Counter[str] = field(default_factory=Counter)

    def flawless(self) -> bool:
        """Tell whether nothing was lost, doubled, exceeded or left behind."""
        whole = self.missing == self.twice == self.violations == self.tasks == self.threads == 0
        return whole and self.heard == self.ends


class Seen:
    """The exchange's view of the bots."""

    def __init__(self, exchange: Sandbox, version: str, bots: Sequence[Bot]) -> None:
        self._sockets, self._bots = exchange.sockets, bots
        self._feeds = public(version)
        self._wanted = [str(arg) for arg in public(version) + private(version)]
        self._shares: list[float] = []
        self._fed_before = 0

    def begin(self) -> None:
        """Count the feeds' updates from here."""
        self._fed_before = self._fed()

    def sample(self) -> None:
        """Note what is subscribed to now."""
        self._shares.append(self.whole())

    def end(self, count: Count) -> None:
        """Note how much was subscribed to, and how much of the feeds arrived."""
        count.subscribed = sum(self._shares) / max(1, len(self._shares))
        sent = (self._fed() - self._fed_before) * len(self._bots)
        count.fed = sum(len(bot.heard.fed) for bot in self._bots) / max(1, sent)

    def whole(self) -> float:
        """Return the share of what all bots want that is subscribed to on connections that work."""
        there: Counter[str] = Counter()
        for one in self._sockets.connections[-_RECENT:]:
            if one.open and not one.silent:
                there.update({str(arg) for arg in list(one.subscriptions)})
        bots = len(self._bots)
        return sum(min(bots, there[one]) for one in self._wanted) / (bots * len(self._wanted))

    def missed(self, orders: Mapping[str, str]) -> int:
        """Return how many ends of orders were not heard of, all bots together."""
        return sum(bot.heard.ends.get(one) != end for bot in self._bots for one, end in orders.items())

    def judge(self, count: Count, orders: Mapping[str, str]) -> None:
        """Count what is there in the end."""
        told = self._sockets.violations
        count.missing = round((1 - self.whole()) * len(self._bots) * len(self._wanted))
        count.connects = self._sockets.connects
        count.twice = sum("subscribed twice" in one for one in told)
        count.violations = len(told) - count.twice
        count.ends = len(orders) * len(self._bots)
        count.heard = count.ends - self.missed(orders)
        for bot in self._bots:
            count.fetched += bot.heard.fetched
            count.told += bot.heard.told

    def _fed(self) -> int:
        return sum(self._sockets.last(arg) for arg in self._feeds)
