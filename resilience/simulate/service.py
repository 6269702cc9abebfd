"""A service as its clients see it: it answers after a while, up to a capacity, and at times it fails.

Everything is arithmetic on the loop's time: a request costs one timer, however long the queue is. `ask` decides
and does not wait, so that a server on a real socket can answer by the same rules.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from math import inf
from random import Random
from typing import Any, Literal

from .incidents import Errors, Limit, Trouble
from .service_answers import FAILS, FULL, GOOD, REFUSED, SQUEEZED, Answer, answers_of

__all__ = ["Service"]


class Service:
    """Serves `capacity` requests a second on one loop. Belongs to that loop.

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
        limit: Limit | None = None,
        errors: Errors | None = None,
        random: Random,
    ) -> None:
        """Begin idle.

        Args:
            capacity: requests a second.
            latency: seconds an answer takes without a queue.
            patience: the client's own timeout, seconds. A request that is given up is served all the same.
            overload: `shed` refuses what would wait longer than `longest_queue`; `queue` lets everything wait.
            longest_queue: seconds.
            troubles: times in which something is wrong; the first that fits counts.
            limit: the rate limit; None keeps none.
            errors: codes that it answers at any time.
            random: draws whom a trouble befalls.
        """
        self.attempts: list[float] = []
        self._each = 1 / capacity
        self._latency = latency
        self._patience = patience
        self._longest = longest_queue if overload == "shed" else inf
        self._troubles = troubles
        self._limit = limit
        self._random = random.random
        self._free_at = 0.0
        self._taken: dict[int, deque[float]] = {}
        self._mixes = {id(one): answers_of(one) for one in (errors, *(one.errors for one in troubles)) if one}
        self._errors = errors

    def ask(self, now: float, client: int = 0) -> tuple[float, Answer]:
        """Take a request of this client's; return the seconds until it is answered (inf: never) and the answer."""
        self.attempts.append(now)
        trouble = self._trouble(now) if self._troubles else None
        kind = trouble.kind if trouble is not None else ""
        if kind == "hang":
            return inf, FAILS
        if kind == "refuse":
            return 0.0, REFUSED
        if self._limit is not None and not self._lets(client, now, trouble):
            return 0.0, SQUEEZED if self._limit.retry_after is None else Answer(429, None, self._limit.retry_after)
        queued = max(0.0, self._free_at - now)
        if queued > self._longest:
            return 0.0, FULL
        each = self._each
        if trouble is not None and trouble.capacity is not None:
            each = 1 / max(trouble.capacity, 1e-3)
        self._free_at = now + queued + each
        return queued + self._time(trouble, now), self._answer(trouble)

    async def send(self, client: int = 0) -> Any:
        """Make one request on a virtual loop and return its answer.

        Raises:
            AnswerError: it failed, or there was no room.
            TimeoutError: no answer within the client's patience.
        """
        loop: Any = asyncio.get_running_loop()
        after, answer = self.ask(loop.time(), client)
        patience = self._patience
        if after > patience:
            await loop.pause(patience)
            raise TimeoutError(f"no answer within {patience:g} s")
        if after:
            await loop.pause(after)
        return 200 if answer is GOOD else answer.given()

    def _trouble(self, now: float) -> Trouble | None:
        for one in self._troubles:
            if one.acts(now):
                return one if one.share >= 1 or self._random() < one.share else None
        return None

    def _time(self, trouble: Trouble | None, now: float) -> float:
        """Return how long an answer takes without a queue."""
        if trouble is None or trouble.latency is None:
            return self._latency
        if not trouble.ramp:
            return trouble.latency
        done = (now - trouble.start) / (trouble.end - trouble.start)
        return self._latency + done * (trouble.latency - self._latency)

    def _answer(self, trouble: Trouble | None) -> Answer:
        """Return what a request that was worked on is answered."""
        mix = self._errors if trouble is None or trouble.errors is None else trouble.errors
        if mix is not None:
            drawn = self._random()
            for share, answer in self._mixes[id(mix)]:
                if drawn < share:
                    return answer
        return FAILS if trouble is not None and trouble.kind == "error" and trouble.errors is None else GOOD

    def _lets(self, client: int, now: float, trouble: Trouble | None) -> bool:
        """Count a request against the last second's limit; False when there is no room."""
        assert self._limit is not None
        rate = self._limit.rate if trouble is None or trouble.limit is None else trouble.limit
        taken = self._taken.setdefault(client if self._limit.per == "client" else -1, deque())
        while taken and taken[0] <= now - 1.0:
            taken.popleft()
        if len(taken) + 1 > rate:
            return False
        taken.append(now)
        return True
