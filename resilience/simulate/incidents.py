"""Defines the parts of a scenario: incidents, error codes, rate limits and surges. Each validates its own values.

All times are seconds on the run's clock, which begins at 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from .._core.policy.contradictions import Contradiction, Rule
from .._core.policy.section import Section
from .._core.policy.units import Spec
from ..config.codes.code_tables import CodeRegistry, is_known
from ..errors import PolicyError

__all__ = ["Errors", "Incident", "Limit", "Surge"]

_HOUR, _MAX_RATE = 3600.0, 1_000_000


def _without_registry(errors: Any) -> Iterator[Contradiction]:
    name = errors.registry
    if is_known(name):
        return
    if not name.endswith((".yaml", ".yml")):
        yield Contradiction("registry", str(_unknown_registry(name)))
    elif not Path(name).is_file():
        yield Contradiction("registry", f"no code table at {name!r}")


def _unknown_registry(name: str) -> PolicyError:
    """Return the registry's own error, which suggests a name."""
    try:
        CodeRegistry.builtin(name)
    except PolicyError as error:
        return error
    raise AssertionError(name)  # called for unknown names only


def _wrong_codes(errors: Any) -> Iterator[Contradiction]:
    if not errors.codes:
        yield Contradiction("codes", 'expected codes and their shares, such as {"429": 5%}')
    if any(_without_registry(errors)):
        return
    table = errors.table
    for code in errors.codes:
        rule = table.rule(code)
        if rule is not None and rule.category is None:
            yield Contradiction("codes", f"{code} means success in the registry {errors.registry}")
        if rule is None:
            near = get_close_matches(code, [rule.code for rule in table], 1)
            hint = f"did you mean {near[0]}?" if near else "`resilience codes` lists them"
            yield Contradiction("codes", f"no code {code!r} in the registry {errors.registry}; {hint}")


def _shares_above_one(errors: Any) -> Iterator[Contradiction]:
    # Shares such as 10% have no exact float, and their sum may exceed 1 by rounding.
    if sum(errors.codes.values()) > 1 + 1e-9:
        yield Contradiction("codes", f"the shares add up to {sum(errors.codes.values()):.1%} (at most 100%)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors(Section):
    """Error codes that the service answers, each with its share of the requests.

    If the registry has an envelope, the answer is a 200 with a body of that shape, as the API sends it. A policy that
    does not list the registry takes it for a success. Codes of other registries are raised as errors.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (_without_registry, _wrong_codes, _shares_above_one)

    registry: str = "http"
    codes: Mapping[str, Annotated[float, Spec("ratio", 0, 1, "Share of the requests.", "5%", above=True)]] = field(
        default_factory=dict
    )

    @property
    def table(self) -> CodeRegistry:
        """The registry; a built-in one is read once per process."""
        return CodeRegistry.builtin(self.registry) if is_known(self.registry) else CodeRegistry.load(self.registry)


def _empty_period(period: Any) -> Iterator[Contradiction]:
    if period.end <= period.start:
        yield Contradiction("end", f"{period.end:g}s is not later than start, {period.start:g}s", "start")


def _unclear_repetition(incident: Any) -> Iterator[Contradiction]:
    every, lasting = incident.every, incident.lasting
    if (every is None) != (lasting is None):
        yield Contradiction("every", "every and lasting are needed together", "lasting")
    if every is not None and lasting is not None and lasting >= every:
        message = f"{lasting:g}s is not shorter than every, {every:g}s: the incident would never stop"
        yield Contradiction("lasting", message, "every")


def _settings_of_another_kind(incident: Any) -> Iterator[Contradiction]:
    for name, kind in (("latency", "slow"), ("limit", "squeeze"), ("capacity", "squeeze"), ("errors", "error")):
        if getattr(incident, name) is not None and incident.kind != kind:
            yield Contradiction(name, f"is allowed with kind: {kind}, not with kind: {incident.kind}", "kind")


def _incomplete_kind(incident: Any) -> Iterator[Contradiction]:
    if incident.kind == "slow" and incident.latency is None:
        yield Contradiction("kind", "slow needs latency, the time to an answer")
    if incident.kind == "squeeze" and incident.limit is None and incident.capacity is None:
        yield Contradiction("kind", "squeeze needs limit or capacity, the lower value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(Section):
    """A period in which something is wrong with the service.

    `hang` never answers. `error` uses capacity like any request and answers 503, or as `errors` says. `refuse`
    answers 503 at once. `slow` answers after `latency`; with `ramp` the latency grows to it until the end. `squeeze`
    lowers the rate limit, the capacity, or both.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (
        _empty_period, _unclear_repetition, _settings_of_another_kind, _incomplete_kind
    )  # fmt: skip

    start: Annotated[float, Spec("duration", 0, _HOUR, "When it begins.", "15s")] = 0.0
    end: Annotated[float, Spec("duration", 0, _HOUR, "When it ends.", "45s")] = 0.0
    share: Annotated[float, Spec("ratio", 0, 1, "Share of the requests that it affects.", "50%", above=True)] = 1.0
    kind: Literal["hang", "error", "refuse", "slow", "squeeze"] = "hang"
    latency: Annotated[float, Spec("duration", 0, _HOUR, "Of `slow`: time to an answer.", "3s")] | None = None
    ramp: bool = False
    """Of `slow`: True lets the latency grow linearly from the start to the end."""
    limit: Annotated[float, Spec("rate", 0, _MAX_RATE, "Of `squeeze`: the lower rate limit.", "20/s")] | None = None
    capacity: Annotated[float, Spec("rate", 0, _MAX_RATE, "Of `squeeze`: the lower capacity.", "50/s")] | None = None
    errors: Errors | None = None
    every: Annotated[float, Spec("duration", 0, _HOUR, "How often it comes back.", "10s", above=True)] | None = None
    lasting: Annotated[float, Spec("duration", 0, _HOUR, "How long it lasts each time.", "4s", above=True)] | None = (
        None
    )

    def is_active(self, now: float) -> bool:
        """Return whether it is there at this instant."""
        if not self.start <= now < self.end:
            return False
        # A repeated incident is there at the beginning of each interval of `every` seconds.
        return self.every is None or self.lasting is None or (now - self.start) % self.every < self.lasting

    def periods(self) -> list[tuple[float, float]]:
        """Return the periods (start, end) in which it is there."""
        if self.every is None or self.lasting is None:
            return [(self.start, self.end)]
        starts = [self.start + n * self.every for n in range(int((self.end - self.start) / self.every) + 1)]
        return [(start, min(start + self.lasting, self.end)) for start in starts if start < self.end]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Section):
    """The service's rate limit. A request above it is answered 429 at once and uses no capacity."""

    rate: Annotated[float, Spec("rate", 0, _MAX_RATE, "Requests that it allows.", "100/s", above=True)] = 100.0
    per: Literal["client", "all"] = "client"
    retry_after: Annotated[float, Spec("duration", 0, _HOUR, "The Retry-After of the 429.", "1s")] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surge(Section):
    """A period in which the clients make more requests than usual, or fewer."""

    RULES: ClassVar[tuple[Rule, ...]] = (_empty_period,)

    start: Annotated[float, Spec("duration", 0, _HOUR, "When it begins.", "15s")] = 0.0
    end: Annotated[float, Spec("duration", 0, _HOUR, "When it ends.", "30s")] = 0.0
    factor: Annotated[float, Spec("factor", 0, 100, "What the request rate is multiplied by.", "3", above=True)] = 1.0
