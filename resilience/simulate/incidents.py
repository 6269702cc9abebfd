"""What may befall a service, and what it may ask of its clients: sections of a scenario, which check themselves.

All times are seconds on the run's own clock, which begins at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from .._core.policy.section import Section
from .._core.policy.units import Spec
from ..config.codes.code_tables import CodeRegistry, is_known
from ..errors import PolicyError, Problem

__all__ = ["Errors", "Limit", "Surge", "Trouble", "refused"]

_HOUR, _MANY = 3600.0, 1_000_000


def refused(section: str, path: str, message: str) -> PolicyError:
    """Return the error of one mistake in a section."""
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
        named = is_known(self.registry)
        if not named and not self.registry.endswith((".yaml", ".yml")):
            raise refused("Errors", "registry", str(_unknown_registry(self.registry)))
        if not named and not Path(self.registry).is_file():
            raise refused("Errors", "registry", f"no code table at {self.registry!r}")
        table = self.table
        if not self.codes:
            raise refused("Errors", "codes", 'expected codes and their shares, such as {"429": 5%}')
        for code in self.codes:
            rule = table.rule(code)
            if rule is not None and rule.category is None:
                raise refused("Errors", "codes", f"{code} means success in the registry {self.registry}")
            if rule is None:
                near = get_close_matches(code, [rule.code for rule in table], 1)
                hint = f"did you mean {near[0]}?" if near else "`resilience codes` lists them"
                raise refused("Errors", "codes", f"no code {code!r} in the registry {self.registry}; {hint}")
        if sum(self.codes.values()) > 1 + 1e-9:
            told = f"the shares add up to {sum(self.codes.values()):.4g}: allowed is up to 100% in all"
            raise refused("Errors", "codes", told)

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
            raise refused("Trouble", "end", f"ends at {self.end:g}s: allowed is later than its start, {self.start:g}s")
        if (self.every is None) != (self.lasting is None):
            raise refused("Trouble", "every", "needs lasting beside it, and lasting needs every")
        if self.every is not None and self.lasting is not None and self.lasting >= self.every:
            told = f"{self.lasting:g}s is no shorter than every, {self.every:g}s: it would never be over"
            raise refused("Trouble", "lasting", told)
        for name, kinds in (("latency", "slow"), ("limit", "squeeze"), ("capacity", "squeeze"), ("errors", "error")):
            if getattr(self, name) is not None and self.kind != kinds:
                raise refused("Trouble", name, f"belongs to kind: {kinds}, and this is kind: {self.kind}")
        if self.kind == "slow" and self.latency is None:
            raise refused("Trouble", "kind", "slow needs latency: how long an answer takes")
        if self.kind == "squeeze" and self.limit is None and self.capacity is None:
            raise refused("Trouble", "kind", "squeeze needs limit or capacity: what it is lowered to")

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
            raise refused("Surge", "end", f"ends at {self.end:g}s: allowed is later than its start, {self.start:g}s")
