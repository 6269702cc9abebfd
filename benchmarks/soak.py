"""Soaks stream clients: breaks connections in ten ways at random moments while orders end, then lets them recover.

Run it with `python -m benchmarks.streams`. Times are sandbox seconds. The kinds, the moments and the victims are drawn
from the seed; when a bot notices is not.
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

from .soak_seen import Observer, SoakResult
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
"""The kinds of disconnects and their faults; after the last kind the next connection has a fault of `NEXT`."""
NEXT = {
    "public": ("refuse", "drop@subscribe", "reject_subscribe:30006"),
    "private": ("refuse", "reject_login:30014", "reject_login:30005:close", "drop@login", "drop@subscribe"),
}
GRACE = 120.0
"""Seconds in which the bots must restore everything after the last disconnect."""
_MAKERS: dict[str, Callable[[Sandbox, str, float, Policies], Bot]] = {"ours": Ours, "plain": Plain}
_ORDER = {"symbol": "BTCUSDT", "side": "buy"}


@dataclass
class Soak:
    """One run.

    Attributes:
        name: `ours` or `plain`.
        version: of the sockets.
        disconnects: how many.
        seconds: the time over which they are spread.
        bots: how many bots, with two connections each.
        seed: of the kinds, the moments and the victims.
        pace: sandbox seconds per real second.
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
    _broken: set[int] = field(default_factory=set)
    _ended: dict[str, str] = field(default_factory=dict)

    def run(self) -> SoakResult:
        """Run the soak and return its result."""
        with Sandbox(pace=self.pace, unified=self.version == "v3") as exchange:
            exchange.authenticator.limits = False  # `pace` does not apply to REST, so its limits would
            for arg in public(self.version):
                exchange.sockets.feed(arg, every=1.0)
            before = set(threading.enumerate())
            result = asyncio.run(self._run(exchange))
            result.threads = len(set(threading.enumerate()) - before)
        return result

    async def _run(self, exchange: Sandbox) -> SoakResult:
        result, before = SoakResult(), asyncio.all_tasks()
        policies = scaled(self.pace)
        bots = [_MAKERS[self.name](exchange, self.version, self.pace, policies) for _ in range(self.bots)]
        observer = Observer(exchange, self.version, bots)
        for bot in bots:
            await bot.start()
        await self._wait_until(lambda: observer.active_share() == 1.0, 60.0)
        observer.begin()
        began = time.monotonic()
        background = [asyncio.create_task(self._trade(exchange)), asyncio.create_task(self._sample(observer))]
        await self._disconnect(exchange, result)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        result.seconds = (time.monotonic() - began) * self.pace
        observer.end(result)
        await self._wait_until(
            lambda: observer.active_share() == 1.0 and observer.count_missed(self._ended) == 0, GRACE
        )
        observer.finish(result, self._ended)
        for bot in bots:
            await bot.close()
        await asyncio.sleep(0.2)  # tasks that were cancelled need a moment to end
        result.tasks = len(asyncio.all_tasks() - before)
        return result

    async def _disconnect(self, exchange: Sandbox, result: SoakResult) -> None:
        """Break connections at random moments, each once; if none is left, wait until a bot connects again."""
        draws, began = random.Random(self.seed), time.monotonic()
        each, last = self.seconds / self.disconnects, began + 2 * self.seconds / self.pace
        # Rounded up, so that each kind comes equally often whatever the number of disconnects.
        kinds = [*KINDS] * -(-self.disconnects // len(KINDS))
        draws.shuffle(kinds)
        for number, kind in enumerate(kinds[: self.disconnects]):
            # A random instant within the slot of this disconnect.
            moment = began + (number + draws.random()) * each / self.pace
            await asyncio.sleep(max(0.0, moment - time.monotonic()))
            if not await self._wait_until(
                lambda: bool(self._unbroken(exchange)), (last - time.monotonic()) * self.pace
            ):
                return  # no bot connects any more
            # Time spent waiting for a bot is added, so that the remaining slots keep their length.
            began += max(0.0, time.monotonic() - moment - each / self.pace)
            self._break(exchange, kind, draws.choice(self._unbroken(exchange)), draws)
            result.disconnects[kind] += 1
        await asyncio.sleep(max(0.0, began + self.seconds / self.pace - time.monotonic()))

    def _break(self, exchange: Sandbox, kind: str, victim: SandboxConnection, draws: random.Random) -> None:
        if kind == "reset, and trouble with the next connection":
            exchange.sockets.script(draws.choice(NEXT[victim.path.rpartition("/")[2]]), path=victim.path)
        self._broken.add(victim.number)
        exchange.sockets.fault(KINDS[kind], number=victim.number)

    def _unbroken(self, exchange: Sandbox) -> list[SandboxConnection]:
        return [
            connection
            for connection in exchange.sockets.connections[-200:]
            if connection.open and connection.number not in self._broken
        ]

    async def _trade(self, exchange: Sandbox) -> None:
        """Place an order per second, market and limit alternately, and cancel each limit order after `rests`."""
        number, began, resting = 0, time.monotonic(), list[tuple[float, str]]()
        while True:
            client_id, now = f"soak-{number}", time.monotonic()
            if number % 2:
                self._place(exchange, client_id, orderType="market", size="50")
                self._ended[client_id] = "filled"
            else:
                self._place(exchange, client_id, orderType="limit", force="gtc", price="100", size="1")
                resting.append((now + self.rests / self.pace, client_id))
            while resting[0:1] and resting[0][0] <= now:
                _, due = resting.pop(0)
                # Directly in the exchange: the soak is about what the bots receive, not about how orders are sent.
                exchange.exchange.cancel(SPOT, {**_ORDER, "clientOid": due}, exchange.now())
                self._ended[due] = "cancelled"
            number += 1
            await asyncio.sleep(max(0.0, began + number / self.pace - time.monotonic()))

    def _place(self, exchange: Sandbox, client_id: str, **params: str) -> None:
        exchange.exchange.place(SPOT, {**_ORDER, **params, "clientOid": client_id}, exchange.now())

    async def _sample(self, observer: Observer) -> None:
        while True:
            observer.sample()
            await asyncio.sleep(1 / self.pace)

    async def _wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait for a condition for at most so many seconds, and return whether it holds."""
        end = time.monotonic() + seconds / self.pace
        while not condition():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.005)
        return True
