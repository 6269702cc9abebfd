"""A service as its clients see it: it answers after a while, up to a capacity, and at times it fails.

Everything is arithmetic on the loop's time: a request costs one timer, however long the queue is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

__all__ = ["Service", "Trouble", "UnavailableError"]


class UnavailableError(Exception):
    """The service answered 503, as an HTTP client tells it."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"503 Service Unavailable: {reason}")
        self.status_code = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A time in which a share of the requests fails.

    Attributes:
        start: seconds on the loop.
        end: when it is over.
        share: the requests that it befalls, from 0 to 1.
        kind: `hang` is never answered, so that a client waits as long as it will; `error` is worked on like
            any other and answered 503; `refuse` is answered 503 at once.
    """

    start: float
    end: float
    share: float = 1.0
    kind: Literal["hang", "error", "refuse"] = "hang"


class Service:
    """Serves `capacity` requests a second on one virtual loop. Belongs to that loop.

    Attributes:
        attempts: when each request reached it, in order.
    """

    def __init__(
        self,
        *,
        capacity: float,
        latency: float = 0.05,
        patience: float = 1.0,
        overload: Literal["shed", "queue"] = "shed",
        longest_queue: float = 0.2,
        troubles: Sequence[Trouble] = (),
        random: Random,
    ) -> None:
        """Begin idle.

        Args:
            capacity: requests a second.
            latency: seconds an answer takes without a queue.
            patience: the client's own timeout, seconds. A request that is given up is served all the same.
            overload: `shed` refuses what would wait longer than `longest_queue`; `queue` lets everything wait.
            longest_queue: seconds.
            troubles: times in which it fails; the first that fits counts.
            random: draws whom a trouble befalls.
        """
        self.attempts: list[float] = []
        self._each = 1 / capacity
        self._latency = latency
        self._patience = patience
        self._longest = longest_queue if overload == "shed" else float("inf")
        self._troubles = troubles
        self._random = random.random
        self._free_at = 0.0

    async def send(self) -> int:
        """Make one request and return its answer.

        Raises:
            UnavailableError: it failed, or there was no room.
            TimeoutError: no answer within the client's patience.
        """
        now = asyncio.get_running_loop().time()
        self.attempts.append(now)
        kind = self._trouble(now)
        if kind == "hang":
            await self._answer(float("inf"))
        if kind == "refuse":
            raise UnavailableError("nobody listens")
        queued = max(0.0, self._free_at - now)
        if queued > self._longest:
            raise UnavailableError("it is full")
        self._free_at = now + queued + self._each
        await self._answer(queued + self._latency)
        if kind == "error":
            raise UnavailableError("it fails")
        return 200

    def _trouble(self, now: float) -> str | None:
        for one in self._troubles:
            if one.start <= now < one.end:
                return one.kind if one.share >= 1 or self._random() < one.share else None
        return None

    async def _answer(self, after: float) -> None:
        await asyncio.sleep(min(after, self._patience))
        if after > self._patience:
            raise TimeoutError(f"no answer within {self._patience:g} s")
