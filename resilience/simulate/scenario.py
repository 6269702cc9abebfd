"""What a scenario says: frozen settings that check themselves at birth, as those of a policy do.

A scenario file becomes these classes, and so does a scenario written in Python. All times are
seconds on the run's own clock, which begins at 0. Nothing here runs; `service.py` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Annotated, Literal

from .._core.section import Section
from .._core.units import Spec
from ..config.tables import CodeRegistry, is_known
from ..errors import PolicyError, Problem

__all__ = ["Errors", "Limit", "Scenario", "Surge", "Trouble"]

_HOUR, _DAY, _MANY = 3600.0, 86_400.0, 1_000_000
_MOST_REQUESTS = 3_000_000


def _refuse(section: str, path: str, message: str) -> PolicyError:
    return PolicyError.of([Problem(section, 0, 0, path, message)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors(Section):
    """Which of an API's codes it answers, and how often, in that API's own words.

    A registry with an envelope answers 200 with a body of that shape, as such an API does: a policy that does
    not list the registry takes it for a success. Codes of any other registry are raised as errors.
    """

    registry: str = "http"
    codes: Mapping[str, Annotated[float, Spec("ratio", 0, 1, "Share of the requests.", "5%", above=True)]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if not is_known(self.registry) and not self.registry.endswith((".yaml", ".yml")):
            raise _refuse("Errors", "registry", str(_unknown_registry(self.registry)))
        table = self.table
        if not self.codes:
            raise _refuse("Errors", "codes", 'expected codes and their shares, such as {"429": 5%}')
        for code in self.codes:
            rule = table.rule(code)
            if rule is not None and rule.category is None:
                raise _refuse("Errors", "codes", f"{code} means success in the registry {self.registry}")
            if rule is None:
                near = get_close_matches(code, [rule.code for rule in table], 1)
                hint = f"did you mean {near[0]}?" if near else "`resilience codes` lists them"
                raise _refuse("Errors", "codes", f"no code {code!r} in the registry {self.registry}; {hint}")
        if sum(self.codes.values()) > 1 + 1e-9:
            told = f"the shares add up to {sum(self.codes.values()):.4g}: allowed is up to 100% in all"
            raise _refuse("Errors", "codes", told)

    @property
    def table(self) -> CodeRegistry:
        """The registry, read once a process where it has a name."""
        return CodeRegistry.builtin(self.registry) if is_known(self.registry) else CodeRegistry.load(self.registry)


def _unknown_registry(name: str) -> PolicyError:
    try:
        CodeRegistry.builtin(name)
    except PolicyError as error:
        return error
    raise AssertionError(name)  # it is asked only for what is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble(Section):
    """A time in which something is wrong with the service.

    `hang` is never answered, so that a client waits as long as it will; `error` is worked on like any other and
    answered 503, or as `errors` says; `refuse` is answered 503 at once; `slow` takes as long as `latency` says,
    which `ramp` reaches only at the end; `squeeze` lowers the rate limit, the capacity, or both.
    """

    start: Annotated[float, Spec("duration", 0, _HOUR, "When it begins.", "15s")] = 0.0
    end: Annotated[float, Spec("duration", 0, _HOUR, "When it is over.", "45s")] = 0.0
    share: Annotated[float, Spec("ratio", 0, 1, "Share of the requests that it befalls.", "50%", above=True)] = 1.0
    kind: Literal["hang", "error", "refuse", "slow", "squeeze"] = "hang"
    latency: Annotated[float, Spec("duration", 0, _HOUR, "How long an answer takes, of `slow`.", "3s")] | None = None
    ramp: bool = False
    """True: a `slow` one grows to its latency, from its start to its end."""
    limit: Annotated[float, Spec("rate", 0, _MANY, "What the rate limit becomes, of `squeeze`.", "20/s")] | None = None
    capacity: Annotated[float, Spec("rate", 0, _MANY, "What the capacity becomes, of `squeeze`.", "50/s")] | None = None
    errors: Errors | None = None
    every: Annotated[float, Spec("duration", 0, _HOUR, "How often it comes back.", "10s", above=True)] | None = None
    lasting: Annotated[float, Spec("duration", 0, _HOUR, "How long it stays then.", "4s", above=True)] | None = None

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.end <= self.start:
            raise _refuse("Trouble", "end", f"ends at {self.end:g}s: allowed is later than its start, {self.start:g}s")
        if (self.every is None) != (self.lasting is None):
            raise _refuse("Trouble", "every", "needs lasting beside it, and lasting needs every")
        if self.every is not None and self.lasting is not None and self.lasting >= self.every:
            told = f"{self.lasting:g}s is no shorter than every, {self.every:g}s: it would never be over"
            raise _refuse("Trouble", "lasting", told)
        for name, kinds in (("latency", "slow"), ("limit", "squeeze"), ("capacity", "squeeze"), ("errors", "error")):
            if getattr(self, name) is not None and self.kind != kinds:
                raise _refuse("Trouble", name, f"belongs to kind: {kinds}, and this is kind: {self.kind}")
        if self.kind == "slow" and self.latency is None:
            raise _refuse("Trouble", "kind", "slow needs latency: how long an answer takes")
        if self.kind == "squeeze" and self.limit is None and self.capacity is None:
            raise _refuse("Trouble", "kind", "squeeze needs limit or capacity: what it is lowered to")

    def acts(self, now: float) -> bool:
        """Tell whether it is there at this instant."""
        if not self.start <= now < self.end:
            return False
        return self.every is None or self.lasting is None or (now - self.start) % self.every < self.lasting

    def spells(self) -> list[tuple[float, float]]:
        """Return the times in which it is there."""
        if self.every is None or self.lasting is None:
            return [(self.start, self.end)]
        starts = [self.start + n * self.every for n in range(int((self.end - self.start) / self.every) + 1)]
        return [(one, min(one + self.lasting, self.end)) for one in starts if one < self.end]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Section):
    """The rate limit that the service keeps: what exceeds it is answered 429 at once, and is not worked on."""

    rate: Annotated[float, Spec("rate", 0, _MANY, "Requests that it lets through.", "100/s", above=True)] = 100.0
    per: Literal["client", "all"] = "client"
    retry_after: Annotated[float, Spec("duration", 0, _HOUR, "What it asks to wait.", "1s")] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge(Section):
    """A time in which the clients make more requests, or fewer."""

    start: Annotated[float, Spec("duration", 0, _HOUR, "When it begins.", "15s")] = 0.0
    end: Annotated[float, Spec("duration", 0, _HOUR, "When it is over.", "30s")] = 0.0
    factor: Annotated[float, Spec("factor", 0, 100, "By how much the rate grows.", "3", above=True)] = 1.0

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.end <= self.start:
            raise _refuse("Surge", "end", f"ends at {self.end:g}s: allowed is later than its start, {self.start:g}s")


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
                raise _refuse(
                    "Scenario", "lasts", f"{self.lasts:g}s: troubles[{place}] begins later, at {one.start:g}s"
                )
            if one.limit is not None and self.limit is None:
                raise _refuse("Scenario", "troubles", f"troubles[{place}].limit: there is no limit to lower")
        if self.requests > _MOST_REQUESTS:
            told = f"{self.requests:.3g} requests in all: allowed is up to {_MOST_REQUESTS:,}, a few minutes' work"
            raise _refuse("Scenario", "clients", told)

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
