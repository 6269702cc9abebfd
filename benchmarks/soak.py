"""Disconnects of ten kinds at random moments, orders meanwhile, and a while to recover in the end.

Times are sandbox seconds. What happens is drawn from the seed; when a bot notices is not.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from resilience import Policies
from resilience.sandbox import Sandbox
from resilience.sandbox.exchange.order_store import SPOT
from resilience.sandbox.websocket import SandboxConnection

from .soak_seen import Count, Seen
from .stream_bots import Bot, Ours, Plain, public, scaled

__all__ = ["KINDS", "Soak"]

KINDS = {
    "reset": "drop",
    "frames that are no JSON, then a reset": "malformed+binary+drop",
    "close frame 1000": "close:1000",
    "close frame 1012": "close:1012",
    "end without a close frame": "close:1006",
    "half open": "half_open",
    "announced upgrade": "upgrade",
    "daily disconnect": "expire",
    "30007, then the end": "error:30007:close",
    "reset, and trouble with the next connection": "drop",
}
"""The kinds of disconnects and their faults; the next connection meets one of `NEXT` after the last kind."""
NEXT = {
    "public": ("refuse", "drop@subscribe", "reject_subscribe:30006"),
    "private": ("refuse", "reject_login:30014", "reject_login:30005:close", "drop@login", "drop@subscribe"),
}
GRACE = 120.0
"""Seconds that the bots have in the end to be whole again."""
_MAKERS: dict[str, Callable[[Sandbox, str, float, Policies], Bot]] = {"ours": Ours, "plain": Plain}
_USUAL = {"symbol": "BTCUSDT", "side": "buy"}


@dataclass
class Soak:
    """One run.

    Attributes:
        name: `ours` or `plain`.
        version: of the sockets.
        disconnects: how many.
        seconds: over how long they are spread.
        bots: how many bots, with two connections each.
        seed: of the kinds, the moments and the victims.
        pace: sandbox seconds in a real one.
        rests: seconds between a limit order and its cancel.
    """

    name: str
    version: str = "v2"
    disconnects: int = 500
    seconds: float = 600.0
    bots: int = 4
    seed: int = 7
    pace: float = 10.0
    rests: float = 120.0
    _met: set[int] = field(default_factory=set)
    _ended: dict[str, str] = field(default_factory=dict)

    def run(self) -> Count:
        """Run it and count."""
        with Sandbox(pace=self.pace, unified=self.version == "v3") as exchange:
            exchange.authenticator.limits = False  # `pace` does not apply to REST, so its limits would
            for arg in public(self.version):
                exchange.sockets.feed(arg, every=1.0)
            before = set(threading.enumerate())
            count = asyncio.run(self._run(exchange))
            count.threads = len(set(threading.enumerate()) - before)
        return count

    async def _run(self, exchange: Sandbox) -> Count:
        count, before = Count(), asyncio.all_tasks()
        policies = scaled(self.pace)
        bots = [_MAKERS[self.name](exchange, self.version, self.pace, policies) for _ in range(self.bots)]
        seen = Seen(exchange, self.version, bots)
        for bot in bots:
            await bot.start()
        await self._until(lambda: seen.whole() == 1.0, 60.0)
        seen.begin()
        began = time.monotonic()
        beside = [asyncio.create_task(self._trade(exchange)), asyncio.create_task(self._sample(seen))]
        await self._disconnect(exchange, count)
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        count.seconds = (time.monotonic() - began) * self.pace
        seen.end(count)
        await self._until(lambda: seen.whole() == 1.0 and seen.missed(self._ended) == 0, GRACE)
        seen.judge(count, self._ended)
        for bot in bots:
            await bot.close()
        await asyncio.sleep(0.2)  # what is on its way to its end
        count.tasks = len(asyncio.all_tasks() - before)
        return count

    async def _disconnect(self, exchange: Sandbox, count: Count) -> None:
        """Break connections that met no fault yet, at random moments; those to come wait for bots that are late."""
        noise, began = random.Random(self.seed), time.monotonic()
        each, last = self.seconds / self.disconnects, began + 2 * self.seconds / self.pace
        kinds = [*KINDS] * -(-self.disconnects // len(KINDS))
        noise.shuffle(kinds)
        for number, kind in enumerate(kinds[: self.disconnects]):
            moment = began + (number + noise.random()) * each / self.pace
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            if not await self._until(lambda: bool(self._unbroken(exchange)), (last - time.monotonic()) * self.pace):
                return  # nobody connects any more
            began += max(0.0, time.monotonic() - moment - each / self.pace)
            self._break(exchange, kind, noise.choice(self._unbroken(exchange)), noise)
            count.disconnects[kind] += 1
        await asyncio.sleep(max(0.0, began + self.seconds / self.pace - time.monotonic()))

    def _break(self, exchange: Sandbox, kind: str, victim: SandboxConnection, noise: random.Random) -> None:
        if kind == "reset, and trouble with the next connection":
            exchange.sockets.script(noise.choice(NEXT[victim.path.rpartition("/")[2]]), path=victim.path)
        self._met.add(victim.number)
        exchange.sockets.fault(KINDS[kind], number=victim.number)

    def _unbroken(self, exchange: Sandbox) -> list[SandboxConnection]:
        return [one for one in exchange.sockets.connections[-200:] if one.open and one.number not in self._met]

    async def _trade(self, exchange: Sandbox) -> None:
        """Place an order a second, market and limit in turns, and cancel each limit order a while later."""
        number, began, resting = 0, time.monotonic(), list[tuple[float, str]]()
        while True:
            one, now = f"soak-{number}", time.monotonic()
            if number % 2:
                self._place(exchange, one, orderType="market", size="50")
                self._ended[one] = "filled"
            else:
                self._place(exchange, one, orderType="limit", force="gtc", price="100", size="1")
                resting.append((now + self.rests / self.pace, one))
            while resting[0:1] and resting[0][0] <= now:
                _, due = resting.pop(0)
                exchange.exchange.cancel(SPOT, {**_USUAL, "clientOid": due}, exchange.now())
                self._ended[due] = "cancelled"
            number += 1
            await asyncio.sleep(max(0.0, began + number / self.pace - time.monotonic()))

    def _place(self, exchange: Sandbox, client_id: str, **told: str) -> None:
        exchange.exchange.place(SPOT, {**_USUAL, **told, "clientOid": client_id}, exchange.now())

    async def _sample(self, seen: Seen) -> None:
        while True:
            seen.sample()
            await asyncio.sleep(1 / self.pace)

    async def _until(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition, so many seconds at most."""
        end = time.monotonic() + seconds / self.pace
        while not true():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.005)
        return True
