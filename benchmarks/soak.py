"""Disconnects of ten kinds at random moments, orders meanwhile, and what the exchange saw of the bots' recovery.

Everything is counted on the exchange's side, but for what a bot heard of orders. Times are sandbox seconds.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from resilience.sandbox import Sandbox
from resilience.sandbox.book import SPOT
from resilience.sandbox.sockets import Connection

from .stream_bots import Bot, Heard, Ours, Plain, private, public

KINDS = {
    "reset by the peer": ("drop", ""),
    "frames that are no JSON, then a reset": ("malformed+binary+drop", ""),
    "close frame 1000": ("close:1000", ""),
    "close frame 1012": ("close:1012", ""),
    "end without a close frame": ("close:1006", ""),
    "half open: silence without an end": ("half_open", ""),
    "upgrade announced": ("upgrade", ""),
    "the daily disconnect": ("expire", ""),
    "over limit: 30007, then the end": ("error:30007:close", ""),
    "the next handshake refused, login rejected, or lost at the subscription": ("drop", "next"),
}
"""The kinds of disconnects: the fault of a connection, and whether the next one meets one as well."""
NEXT = {
    "public": ("refuse", "drop@subscribe", "reject_subscribe:30006"),
    "private": ("refuse", "reject_login:30014", "reject_login:30005:close", "drop@login", "drop@subscribe"),
}
MAKERS: dict[str, Callable[[Sandbox, str, float, int], Bot]] = {"ours": Ours, "plain": Plain}
GRACE = 120.0
"""Seconds that a bot has in the end to be whole again."""


@dataclass
class Count:
    """What became of it all.

    Attributes:
        disconnects: connections that met a fault, by kind.
        seconds: how long it took.
        connects: handshakes.
        missing: subscriptions that were not there in the end.
        twice: subscriptions that were there twice, at any time.
        violations: other limits exceeded.
        subscribed: share of the time, and of what was wanted, that was subscribed to.
        fed: share of the feeds' updates that arrived.
        ends: orders that ended, times the bots.
        heard: how many of these ends the bots heard of, and `fetched` of them by REST.
        tasks, threads: what was left when the bots were closed.
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


@dataclass
class Soak:
    """One run.

    Attributes:
        disconnects: how many.
        seconds: over how long they are spread.
        bots: how many bots, with two connections each.
    """

    name: str
    version: str = "v2"
    disconnects: int = 500
    seconds: float = 600.0
    bots: int = 4
    seed: int = 7
    pace: float = 20.0
    _met: set[int] = field(default_factory=set)
    _orders: dict[str, str] = field(default_factory=dict)

    def run(self) -> Count:
        """Run it and count."""
        with Sandbox(pace=self.pace, limits=True, unified=self.version == "v3") as exchange:
            for arg in public(self.version):
                exchange.sockets.feed(arg, every=1.0)
            before = threading.active_count()
            count = asyncio.run(self._run(exchange))
            count.threads = threading.active_count() - before
        return count

    async def _run(self, exchange: Sandbox) -> Count:
        count, noise = Count(), random.Random(self.seed)
        bots = [MAKERS[self.name](exchange, self.version, self.pace, self.bots) for _ in range(self.bots)]
        before = asyncio.all_tasks()
        for bot in bots:
            await bot.start()
        await self._until(lambda: self._whole(exchange) == 1.0, 60.0)
        began, shares = time.monotonic(), list[float]()
        fed = self._fed(exchange)
        watching = asyncio.create_task(self._watch(exchange, shares))
        trading = asyncio.create_task(self._trade(exchange))
        await self._disconnect(exchange, count, noise)
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)
        count.seconds = (time.monotonic() - began) * self.pace
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        fed = self._fed(exchange) - fed
        seen = sum(bot.heard.rows for bot in bots)
        await self._until(lambda: self._whole(exchange) == 1.0 and self._missed(bots) == 0, GRACE)
        self._judge(exchange, count, bots)
        count.subscribed = sum(shares) / max(1, len(shares))
        count.fed = seen / max(1, fed * self.bots)
        for bot in bots:
            await bot.close()
        await asyncio.sleep(0.2)  # what is on its way to its end
        count.tasks = len(asyncio.all_tasks() - before)
        return count

    # --- what happens -------------------------------------------------------------------------------

    async def _disconnect(self, exchange: Sandbox, count: Count, noise: random.Random) -> None:
        """Let the faults happen, each on a connection that has met none, at random moments."""
        began = time.monotonic()
        moments = sorted(noise.uniform(0, self.seconds) for _ in range(self.disconnects))
        kinds = [kind for _ in range(-(-self.disconnects // len(KINDS))) for kind in KINDS]
        noise.shuffle(kinds)
        for moment, kind in zip(moments, kinds, strict=False):
            await asyncio.sleep(max(0.0, began + moment / self.pace - time.monotonic()))
            limit = began + (self.seconds + GRACE) / self.pace
            if not await self._until(lambda: bool(self._victims(exchange)), (limit - time.monotonic()) * self.pace):
                return  # nobody connects any more
            self._break(exchange, kind, noise.choice(self._victims(exchange)), noise)
            count.disconnects[kind] += 1

    def _break(self, exchange: Sandbox, kind: str, victim: Connection, noise: random.Random) -> None:
        fault, more = KINDS[kind]
        if more:
            exchange.sockets.script(noise.choice(NEXT[victim.path.rpartition("/")[2]]), path=victim.path)
        self._met.add(victim.number)
        exchange.sockets.fault(fault, number=victim.number)

    def _victims(self, exchange: Sandbox) -> list[Connection]:
        return [one for one in exchange.sockets.connections[-200:] if one.open and one.number not in self._met]

    async def _trade(self, exchange: Sandbox) -> None:
        """Place an order every second, market and limit in turns; each limit order is cancelled 15 s later."""
        number, resting = 0, list[tuple[float, str]]()
        usual = {"symbol": "BTCUSDT", "side": "buy"}
        while True:
            one, now = f"soak-{number}", time.monotonic()
            kind = {"orderType": "limit", "force": "gtc", "price": "100", "size": "1"}
            if number % 2:
                kind = {"orderType": "market", "size": "50"}
                self._orders[one] = "filled"
            else:
                resting.append((now + 15 / self.pace, one))
            exchange.exchange.place(SPOT, {**usual, **kind, "clientOid": one}, exchange.now())
            while resting and resting[0][0] <= now:
                due = resting.pop(0)[1]
                exchange.exchange.cancel(SPOT, {"symbol": "BTCUSDT", "clientOid": due}, exchange.now())
                self._orders[due] = "cancelled"
            number += 1
            await asyncio.sleep(1 / self.pace)

    # --- what is seen -------------------------------------------------------------------------------

    def _whole(self, exchange: Sandbox) -> float:
        """Return the share of what all bots want that is subscribed to on connections that work."""
        there: Counter[str] = Counter()
        for one in exchange.sockets.connections[-200:]:
            if one.open and not one.silent:
                there.update({str(arg) for arg in list(one.subscriptions)})
        wanted = [str(arg) for arg in public(self.version) + private(self.version)]
        return sum(min(self.bots, there[one]) for one in wanted) / (self.bots * len(wanted))

    def _fed(self, exchange: Sandbox) -> int:
        return sum(exchange.sockets.last(arg) for arg in public(self.version))

    def _missed(self, bots: list[Bot]) -> int:
        return sum(bot.heard.ends.get(one) != end for bot in bots for one, end in self._orders.items())

    async def _watch(self, exchange: Sandbox, shares: list[float]) -> None:
        while True:
            shares.append(self._whole(exchange))
            await asyncio.sleep(1 / self.pace)

    async def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition, so many seconds at most."""
        end = time.monotonic() + seconds / self.pace
        while not true():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.005)
        return True

    def _judge(self, exchange: Sandbox, count: Count, bots: list[Bot]) -> None:
        wanted = self.bots * len(public(self.version) + private(self.version))
        count.missing = round((1 - self._whole(exchange)) * wanted)
        count.connects = exchange.sockets.connects
        told = exchange.sockets.violations
        count.twice = sum("subscribed twice" in one for one in told)
        count.violations = len(told) - count.twice
        heard: list[Heard] = [bot.heard for bot in bots]
        count.ends = len(self._orders) * self.bots
        count.heard = count.ends - self._missed(bots)
        count.fetched = sum(one.fetched for one in heard)
        for one in heard:
            count.told += one.told
