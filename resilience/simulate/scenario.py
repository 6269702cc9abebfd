"""Defines the settings of a scenario, which are frozen and validated when they are created, as a policy's are.

A scenario file becomes these classes, and so does a scenario written in Python. All times are seconds on the run's
clock, which begins at 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from .._core.policy.contradictions import Contradiction, Rule
from .._core.policy.old_spellings import OldSpelling
from .._core.policy.renaming import renamed
from .._core.policy.section import Section
from .._core.policy.units import Spec
from .incidents import Errors, Incident, Limit, Surge
from .old_names import renamed_attribute

__all__ = ["Scenario"]

_HOUR, _MAX_RATE = 3600.0, 1_000_000
_MAX_REQUESTS = 3_000_000  # a few minutes of work


def _incidents_that_never_begin(scenario: Any) -> Iterator[Contradiction]:
    for index, incident in enumerate(scenario.incidents):
        if incident.start >= scenario.lasts:
            message = f"the run ends at {scenario.lasts:g}s, before incidents[{index}] begins at {incident.start:g}s"
            yield Contradiction("lasts", message)


def _limits_of_nothing(scenario: Any) -> Iterator[Contradiction]:
    for index, incident in enumerate(scenario.incidents):
        if incident.limit is not None and scenario.limit is None:
            message = f"incidents[{index}].limit lowers the rate limit, but the scenario has no limit"
            yield Contradiction("incidents", message)


def _too_many_requests(scenario: Any) -> Iterator[Contradiction]:
    # A typing error in `rate` would otherwise run for hours.
    if scenario.requests > _MAX_REQUESTS:
        number = f"{scenario.requests:,.0f} requests are too many"
        yield Contradiction("clients", f"{number} (at most {_MAX_REQUESTS:,}: clients × rate × lasts)")


@renamed(OldSpelling("troubles", "incidents"))
@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario(Section):
    """The clients, the service, and what goes wrong."""

    RULES: ClassVar[tuple[Rule, ...]] = (_incidents_that_never_begin, _limits_of_nothing, _too_many_requests)

    title: str = "Untitled"
    """One line that names it."""
    about: str = ""
    """What happens, in a sentence or two, for the report."""
    clients: Annotated[int, Spec("count", 1, 10_000, "Clients, each with a state of its own.", "200")] = 200
    rate: Annotated[float, Spec("rate", 0, 10_000, "Requests per client, at random instants.", "10/s", above=True)] = (
        10.0
    )
    capacity: Annotated[float, Spec("rate", 0, _MAX_RATE, "Requests that it can serve.", "3000/s", above=True)] = 3000.0
    latency: Annotated[float, Spec("duration", 0, _HOUR, "Time to an answer without a queue.", "50ms")] = 0.05
    patience: Annotated[float, Spec("duration", 0, _HOUR, "The clients' own timeout of an attempt.", "10s")] = 1.0
    overload: Literal["shed", "queue"] = "shed"
    """What the service does above its capacity: `shed` answers 503, `queue` lets requests wait."""
    longest_queue: Annotated[float, Spec("duration", 0, _HOUR, "The longest wait before it sheds.", "200ms")] = 0.2
    limit: Limit | None = None
    errors: Errors | None = None
    incidents: tuple[Incident, ...] = ()
    surges: tuple[Surge, ...] = ()
    idempotent: bool = True
    """Whether a request may be sent twice; False makes it a write."""
    operation: str = "request"
    """Name of the operation, which `operations` of a policy file may match."""
    lasts: Annotated[float, Spec("duration", 0, _HOUR, "When the run ends.", "60s", above=True)] = 60.0
    soon: Annotated[float, Spec("duration", 0, _HOUR, "How quick an answer must be to be good.", "2s")] = 2.0
    settled: (
        Annotated[float, Spec("duration", 0, _HOUR, "End early after this time without a failure.", "7s")] | None
    ) = None

    @property
    def requests(self) -> float:
        """The expected number of requests."""
        surplus = sum((min(surge.end, self.lasts) - surge.start) * (surge.factor - 1) for surge in self.surges)
        return self.clients * self.rate * max(0.0, self.lasts + surplus)

    @property
    def last_incident_end(self) -> float | None:
        """When the last incident or surge ends; None if there is none, or if it outlasts the run."""
        ends = [end for incident in self.incidents for _, end in incident.periods()]
        ends += [surge.end for surge in self.surges]
        return max(ends) if ends and max(ends) < self.lasts else None

    @property
    def incident_periods(self) -> list[tuple[float, float]]:
        """The periods of all incidents, joined where they overlap and cut at the end of the run."""
        periods = sorted(period for incident in self.incidents for period in incident.periods())
        joined: list[tuple[float, float]] = []
        for start, end in periods:
            if joined and start <= joined[-1][1]:
                joined[-1] = joined[-1][0], max(end, joined[-1][1])
            else:
                joined.append((start, end))
        return [(start, min(end, self.lasts)) for start, end in joined if start < self.lasts]

    troubled = renamed_attribute("Scenario", "troubled", "incident_periods")
    last_trouble = renamed_attribute("Scenario", "last_trouble", "last_incident_end")

    def scaled(self, share: float) -> Scenario:
        """Return the scenario with a share of its clients and of its service."""
        # The share is what is left after rounding the clients, so that load and capacity keep their ratio.
        clients = max(1, round(self.clients * share))
        factor, limit = clients / self.clients, self.limit
        shared_limit = limit is not None and limit.per == "all"

        def scale(incident: Incident) -> Incident:
            capacity = None if incident.capacity is None else incident.capacity * factor
            lower = incident.limit * factor if incident.limit and shared_limit else incident.limit
            return replace(incident, capacity=capacity, limit=lower)

        return replace(
            self,
            clients=clients,
            capacity=self.capacity * factor,
            limit=replace(limit, rate=limit.rate * factor) if limit is not None and shared_limit else limit,
            incidents=tuple(map(scale, self.incidents)),
        )
