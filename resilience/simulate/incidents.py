"""Defines the parts of a scenario: incidents, error codes, rate limits and surges. Each validates its own values.

All times are seconds on the run's clock, which begins at 0.
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

__all__ = ["Errors", "Incident", "Limit", "Surge", "section_error"]

_HOUR, _MAX_RATE = 3600.0, 1_000_000


def section_error(section: str, path: str, message: str) -> PolicyError:
    """Return the error for one mistake in a section."""
    return PolicyError.of([Problem(section, 0, 0, path, message)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors(Section):
    """Error codes that the service answers, each with its share of the requests.

    If the registry has an envelope, the answer is a 200 with a body of that shape, as the API sends it. A policy that
    does not list the registry takes it for a success. Codes of other registries are raised as errors.
    """

    registry: str = "http"
    codes: Mapping[str, Annotated[float, Spec("ratio", 0, 1, "Share of the requests.", "5%", above=True)]] = field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        self._check_registry()
        if not self.codes:
            raise section_error("Errors", "codes", 'expected codes and their shares, such as {"429": 5%}')
        for code in self.codes:
            self._check_code(code)
        # Shares such as 10% have no exact float, and their sum may exceed 1 by rounding.
        if sum(self.codes.values()) > 1 + 1e-9:
            message = f"the shares add up to {sum(self.codes.values()):.1%} (at most 100%)"
            raise section_error("Errors", "codes", message)

    def _check_registry(self) -> None:
        known = is_known(self.registry)
        if not known and not self.registry.endswith((".yaml", ".yml")):
            raise section_error("Errors", "registry", str(_unknown_registry(self.registry)))
        if not known and not Path(self.registry).is_file():
            raise section_error("Errors", "registry", f"no code table at {self.registry!r}")

    def _check_code(self, code: str) -> None:
        table = self.table
        rule = table.rule(code)
        if rule is not None and rule.category is None:
            raise section_error("Errors", "codes", f"{code} means success in the registry {self.registry}")
        if rule is None:
            near = get_close_matches(code, [rule.code for rule in table], 1)
            hint = f"did you mean {near[0]}?" if near else "`resilience codes` lists them"
            raise section_error("Errors", "codes", f"no code {code!r} in the registry {self.registry}; {hint}")

    @property
    def table(self) -> CodeRegistry:
        """The registry; a built-in one is read once per process."""
        return CodeRegistry.builtin(self.registry) if is_known(self.registry) else CodeRegistry.load(self.registry)


def _unknown_registry(name: str) -> PolicyError:
    """Return the registry's own error, which suggests a name."""
    try:
        CodeRegistry.builtin(name)
    except PolicyError as error:
        return error
    raise AssertionError(name)  # called for unknown names only


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(Section):
    """A period in which something is wrong with the service.

    `hang` never answers. `error` uses capacity like any request and answers 503, or as `errors` says. `refuse`
    answers 503 at once. `slow` answers after `latency`; with `ramp` the latency grows to it until the end. `squeeze`
    lowers the rate limit, the capacity, or both.
    """

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

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        _check_period("Incident", self.start, self.end)
        self._check_repetition()
        for name, kind in (("latency", "slow"), ("limit", "squeeze"), ("capacity", "squeeze"), ("errors", "error")):
            if getattr(self, name) is not None and self.kind != kind:
                raise section_error("Incident", name, f"is allowed with kind: {kind}, not with kind: {self.kind}")
        if self.kind == "slow" and self.latency is None:
            raise section_error("Incident", "kind", "slow needs latency, the time to an answer")
        if self.kind == "squeeze" and self.limit is None and self.capacity is None:
            raise section_error("Incident", "kind", "squeeze needs limit or capacity, the lower value")

    def _check_repetition(self) -> None:
        if (self.every is None) != (self.lasting is None):
            raise section_error("Incident", "every", "every and lasting are needed together")
        if self.every is not None and self.lasting is not None and self.lasting >= self.every:
            message = f"{self.lasting:g}s is not shorter than every, {self.every:g}s: the incident would never stop"
            raise section_error("Incident", "lasting", message)

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

    start: Annotated[float, Spec("duration", 0, _HOUR, "When it begins.", "15s")] = 0.0
    end: Annotated[float, Spec("duration", 0, _HOUR, "When it ends.", "30s")] = 0.0
    factor: Annotated[float, Spec("factor", 0, 100, "What the request rate is multiplied by.", "3", above=True)] = 1.0

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        _check_period("Surge", self.start, self.end)


def _check_period(section: str, start: float, end: float) -> None:
    if end <= start:
        raise section_error(section, "end", f"{end:g}s is not later than start, {start:g}s")
