"""Models a service: it answers after a latency, serves up to a capacity, and fails during incidents.

Everything is arithmetic on the loop's time: a request costs one timer, however long the queue is. `ask` decides without
waiting, so that a server on a real socket can answer by the same rules.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from math import inf
from random import Random
from typing import Any, Literal

from .incidents import Errors, Incident, Limit
from .old_names import renamed_keyword
from .service_answers import FAILED, GOOD, NOT_LISTENING, OVERLOADED, RATE_LIMITED, ServiceAnswer, answers_by_share

__all__ = ["Service"]


_UNREACHABLE = {"hang": (inf, FAILED), "refuse": (0.0, NOT_LISTENING)}
"""What a request gets while an incident of this kind lasts."""


class Service:
    """Serves `capacity` requests per second on one loop. Not safe across threads.

    Attributes:
        attempts: when each request reached it, in order.
    """

    @renamed_keyword("Service", "troubles", "incidents")
    def __init__(
        self,
        *,
        capacity: float,
        latency: float = 0.05,
        patience: float = 1.0,
        overload: Literal["shed", "queue"] = "shed",
        longest_queue: float = 0.2,
        incidents: Sequence[Incident] = (),
        limit: Limit | None = None,
        errors: Errors | None = None,
        random: Random,
    ) -> None:
        """Begin idle.

        Args:
            capacity: requests per second.
            latency: seconds to an answer without a queue.
            patience: the client's own timeout, seconds. A request that the client gave up is served all the same.
            overload: `shed` rejects a request that would wait longer than `longest_queue`; `queue` lets all wait.
            longest_queue: seconds.
            incidents: the incidents; the first active one counts.
            limit: the rate limit; None means no limit.
            errors: codes that it answers at any time.
            random: decides which requests an incident affects.
        """
        self.attempts: list[float] = []
        self._seconds_per_request = 1 / capacity
        self._latency = latency
        self._patience = patience
        self._longest_queue = longest_queue if overload == "shed" else inf
        self._incidents = incidents
        self._limit = limit
        self._random = random.random
        self._free_at = 0.0
        self._recent: dict[int, deque[float]] = {}  # by client: the requests of the last second
        mixes = (errors, *(incident.errors for incident in incidents))
        self._answers = {id(mix): answers_by_share(mix) for mix in mixes if mix}
        self._errors = errors

    def ask(self, now: float, client: int = 0) -> tuple[float, ServiceAnswer]:
        """Take a request of this client; return the seconds until it is answered (inf: never) and the answer."""
        self.attempts.append(now)
        incident = self._incident(now) if self._incidents else None
        if incident is not None and incident.kind in _UNREACHABLE:
            return _UNREACHABLE[incident.kind]
        if self._limit is not None and not self._is_within_limit(client, now, incident):
            retry_after = self._limit.retry_after
            return 0.0, RATE_LIMITED if retry_after is None else RATE_LIMITED._replace(retry_after=retry_after)
        return self._serve(now, incident)

    def _serve(self, now: float, incident: Incident | None) -> tuple[float, ServiceAnswer]:
        # The queue is one number: when the service will have served all that it has accepted.
        queued = max(0.0, self._free_at - now)
        if queued > self._longest_queue:
            return 0.0, OVERLOADED
        busy = self._seconds_per_request
        if incident is not None and incident.capacity is not None:
            # A capacity of 0 means almost none: dividing by it is not possible.
            busy = 1 / max(incident.capacity, 1e-3)
        self._free_at = now + queued + busy
        return queued + self._time_to_answer(incident, now), self._answer(incident)

    async def send(self, client: int = 0) -> Any:
        """Make one request on a virtual loop and return its answer.

        Raises:
            AnswerError: it failed, or the service was overloaded.
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
        return 200 if answer is GOOD else answer.deliver()

    def _incident(self, now: float) -> Incident | None:
        """Return the active incident, if it affects this request."""
        for incident in self._incidents:
            if incident.is_active(now):
                # No number is drawn if the incident affects every request.
                return incident if incident.share >= 1 or self._random() < incident.share else None
        return None

    def _time_to_answer(self, incident: Incident | None, now: float) -> float:
        """Return the seconds to an answer without a queue."""
        if incident is None or incident.latency is None:
            return self._latency
        if not incident.ramp:
            return incident.latency
        done = (now - incident.start) / (incident.end - incident.start)
        return self._latency + done * (incident.latency - self._latency)

    def _answer(self, incident: Incident | None) -> ServiceAnswer:
        """Return the answer of a request that was served."""
        mix = self._errors if incident is None or incident.errors is None else incident.errors
        if mix is not None:
            number = self._random()
            for bound, answer in self._answers[id(mix)]:
                if number < bound:
                    return answer
        return FAILED if incident is not None and incident.kind == "error" and incident.errors is None else GOOD

    def _is_within_limit(self, client: int, now: float, incident: Incident | None) -> bool:
        """Count a request against the rate limit of the last second; False if it is above the limit."""
        assert self._limit is not None
        rate = self._limit.rate if incident is None or incident.limit is None else incident.limit
        recent = self._recent.setdefault(client if self._limit.per == "client" else -1, deque())
        # A sliding window of one second, exact for every request.
        while recent and recent[0] <= now - 1.0:
            recent.popleft()
        if len(recent) + 1 > rate:
            return False
        recent.append(now)
        return True
