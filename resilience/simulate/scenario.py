"""What a scenario says: frozen settings that check themselves at birth, as those of a policy do.

A scenario file becomes these classes, and so does a scenario written in Python. All times are
seconds on the run's own clock, which begins at 0. Nothing here runs; `service.py` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from .._core.policy.section import Section
from .._core.policy.units import Spec
from .incidents import Errors, Limit, Surge, Trouble, refused

__all__ = ["Scenario"]

_HOUR, _MANY = 3600.0, 1_000_000
_MOST_REQUESTS = 3_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Section):
    """What happens: the clients, the service, and what befalls it."""

    title: str = "Untitled"
    """One line that names it."""
    about: str = ""
    """The story in a sentence or two, for the report."""
    clients: Annotated[int, Spec("count", 1, 10_000, "Clients, each with a state of its own.", "200")] = 200
    rate: Annotated[float, Spec("rate", 0, 10_000, "Requests of each, at random instants.", "10/s", above=True)] = 10.0
    capacity: Annotated[float, Spec("rate", 0, _MANY, "Requests that it can serve.", "3000/s", above=True)] = 3000.0
    latency: Annotated[float, Spec("duration", 0, _HOUR, "How long an answer takes without a queue.", "50ms")] = 0.05
    patience: Annotated[float, Spec("duration", 0, _HOUR, "The clients' own timeout of an attempt.", "10s")] = 1.0
    overload: Literal["shed", "queue"] = "shed"
    """What it does with more than it can serve: refuse it (503), or let it wait."""
    longest_queue: Annotated[float, Spec("duration", 0, _HOUR, "The longest wait before it sheds.", "200ms")] = 0.2
    limit: Limit | None = None
    errors: Errors | None = None
    troubles: tuple[Trouble, ...] = ()
    surges: tuple[Surge, ...] = ()
    idempotent: bool = True
    """Whether a request may be sent twice: false makes it a write."""
    operation: str = "request"
    """What the requests are called: a policy file's `operations` may name it."""
    lasts: Annotated[float, Spec("duration", 0, _HOUR, "When the run ends.", "60s", above=True)] = 60.0
    soon: Annotated[float, Spec("duration", 0, _HOUR, "How quick an answer must be to be good.", "2s")] = 2.0
    settled: Annotated[float, Spec("duration", 0, _HOUR, "Ends early when all was well for so long.", "7s")] | None = (
        None
    )

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        for place, one in enumerate(self.troubles):
            if one.start >= self.lasts:
                raise refused(
                    "Scenario", "lasts", f"{self.lasts:g}s: troubles[{place}] begins later, at {one.start:g}s"
                )
            if one.limit is not None and self.limit is None:
                raise refused("Scenario", "troubles", f"troubles[{place}].limit: there is no limit to lower")
        if self.requests > _MOST_REQUESTS:
            told = f"{self.requests:.3g} requests in all: allowed is up to {_MOST_REQUESTS:,}, a few minutes' work"
            raise refused("Scenario", "clients", told)

    @property
    def requests(self) -> float:
        """How many requests are to be expected in all."""
        more = sum((min(one.end, self.lasts) - one.start) * (one.factor - 1) for one in self.surges)
        return self.clients * self.rate * max(0.0, self.lasts + more)

    @property
    def last_trouble(self) -> float | None:
        """When the last trouble is over; None where there is none, or none that ends within the run."""
        ends = [end for one in self.troubles for _, end in one.spells()] + [one.end for one in self.surges]
        return max(ends) if ends and max(ends) < self.lasts else None

    @property
    def troubled(self) -> list[tuple[float, float]]:
        """The times in which something is wrong, joined where they overlap, within the run."""
        spells = sorted(spell for one in self.troubles for spell in one.spells())
        joined: list[tuple[float, float]] = []
        for start, end in spells:
            if joined and start <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        return [(start, min(end, self.lasts)) for start, end in joined if start < self.lasts]

    def scaled(self, share: float) -> Scenario:
        """Return the scenario with a share of its clients, and of what the service has for all of them."""
        clients = max(1, round(self.clients * share))
        by, limit = clients / self.clients, self.limit
        for_all = limit is not None and limit.per == "all"

        def less(one: Trouble) -> Trouble:
            capacity = None if one.capacity is None else one.capacity * by
            return replace(one, capacity=capacity, limit=one.limit * by if one.limit and for_all else one.limit)

        return replace(
            self,
            clients=clients,
            capacity=self.capacity * by,
            limit=replace(limit, rate=limit.rate * by) if limit is not None and for_all else limit,
            troubles=tuple(map(less, self.troubles)),
        )
