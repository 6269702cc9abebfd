"""The sections of a policy, one frozen class each; a section that is None is off.

Adding a setting means adding a field here: validation, the JSON schema and the reference are made from its annotation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ...errors import PolicyError, Problem
from .backoff import BackoffKindName
from .codes import Category, Executed
from .section import Section
from .units import About, Calls, Spec

__all__ = [
    "NO_VALUE",
    "AdmissionSettings",
    "BackoffSettings",
    "BreakerSettings",
    "BudgetSettings",
    "FallbackSettings",
    "HalfOpenSettings",
    "HedgeSettings",
    "LaneSettings",
    "QuotaSettings",
    "ReconcileSettings",
    "RetrySettings",
    "UnknownErrorSettings",
]

_HOUR, _DAY, _MANY = 3600.0, 86400.0, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffSettings(Section):
    """How the delay grows from retry to retry, and its noise."""

    kind: Annotated[BackoffKindName, About("How the delay grows.", "exponential")] = "exponential"
    initial: Annotated[float, Spec("duration", 0, _HOUR, "The delay before the first retry.", "200ms")] = 0.2
    factor: Annotated[float, Spec("factor", 1, 100, "By how much an exponential delay grows.", "2")] = 2.0
    max: Annotated[float, Spec("duration", 0, _DAY, "The longest delay, before jitter.", "5s")] = 5.0
    jitter: Annotated[
        Literal["none", "full", "equal"],
        About("Noise on each delay: none, anything from 0 up to it, or from half of it.", "full"),
    ] = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings(Section):
    """How often, and after which delays, an attempt is made again."""

    max_attempts: Annotated[int, Spec("count", 1, 1000, "Attempts in all, the first included.", "4")] = 3
    backoff: Annotated[
        BackoffSettings, About("How the delay grows from retry to retry.", "{initial: 200ms, max: 5s}")
    ] = field(default_factory=BackoffSettings)
    stop: Callable[..., Any] | None = None
    """A stop object of tenacity, from Python alone; it takes the place of `max_attempts`."""
    wait: Callable[..., Any] | None = None
    """A wait object of tenacity, from Python alone; it takes the place of `backoff`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings(Section):
    """The share of calls that may be retries: each call deposits `ratio`, each retry withdraws one."""

    ratio: Annotated[float, Spec("ratio", 0, 10, "Retries allowed for each call.", "20%")] = 0.2
    floor: Annotated[float, Spec("rate", 0, _MANY, "Retries allowed whatever the traffic.", "1/s")] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfOpenSettings(Section):
    """How an open breaker is tried again."""

    permits: Annotated[int, Spec("count", 1, 10_000, "Attempts let through at the same time.", "1")] = 1
    successes: Annotated[int, Spec("count", 1, 10_000, "Successes that close it.", "1")] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings(Section):
    """When to stop asking a service that fails or crawls, and for how long.

    It opens when `consecutive` failures come in a row, or when `failure_rate` of the attempts in the
    last `window` (a time, or a number of calls) failed, or `slow_rate` of them took longer than
    `slow_after`. The two rates count once `min_calls` were settled, or once a window of calls is
    full. Each of the three may be None.
    """

    failure_rate: (
        Annotated[float, Spec("ratio", 0, 1, "Share of failures that opens it.", "80%", above=True)] | None
    ) = 0.8
    slow_rate: (
        Annotated[float, Spec("ratio", 0, 1, "Share of slow successes that opens it.", "90%", above=True)] | None
    ) = None
    slow_after: Annotated[float, Spec("duration", 0, _DAY, "A success that took longer is slow.", "2s")] | None = None
    window: Annotated[
        float | Calls, Spec("window", 0, _DAY, "How far back the rates look: `10s` or `100 calls`.", "10s", above=True)
    ] = 10.0
    min_calls: Annotated[int, Spec("count", 1, _MANY, "Settled attempts before a rate counts.", "20")] = 20
    consecutive: Annotated[int, Spec("count", 1, _MANY, "Failures in a row that open it.", "10")] | None = None
    open_for: Annotated[float, Spec("duration", 0, _DAY, "How long it refuses.", "1s", above=True)] = 1.0
    growth: Annotated[float, Spec("factor", 1, 100, "Growth of that time each time a trial fails.", "2")] = 2.0
    open_max: Annotated[float, Spec("duration", 0, _DAY, "The longest time it refuses.", "5s", above=True)] = 5.0
    half_open: Annotated[HalfOpenSettings, About("How it is tried again.", "{permits: 1, successes: 1}")] = field(
        default_factory=HalfOpenSettings
    )
    wait: Annotated[
        Literal[False, True, "all"],
        About(
            "true: a retry waits for it inside the deadline instead of giving up; all: a first attempt as well.", "true"
        ),
    ] = False
    mode: Annotated[Literal["enforce", "shadow"], About("shadow measures and tells, and never refuses.", "shadow")] = (
        "enforce"
    )
    key: (
        Annotated[
            Literal["host", "operation", "account"],
            About("What has a breaker of its own; by default the policy, and the host where it is known.", "host"),
        ]
        | Callable[..., str]
        | None
    ) = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings(Section):
    """What the API allows us to send; every attempt pays. Never more than `burst` in any `burst / rate` seconds.

    Entries of one name are one window, whichever policy they stand in; without a name a window
    belongs to its policy. It is kept for each `key`: the host; the operation, the account or, by
    default, whatever is known of both host and account.
    """

    rate: Annotated[float, Spec("rate", 0, _MANY, "Attempts allowed a second.", "10/s", above=True)] = 10.0
    burst: Annotated[int, Spec("count", 1, _MANY, "Attempts allowed at once.", "10")] = 1
    key: (
        Annotated[
            Literal["host", "operation", "account"],
            About("What has a window of its own; by default whatever is known of host and account.", "account"),
        ]
        | Callable[..., str]
        | None
    ) = None
    operations: Annotated[
        tuple[str, ...], About("Globs of the operations that pay; none means all.", '["*_order"]')
    ] = ()
    weight: Annotated[int, Spec("count", 0, _MANY, "What an attempt is worth.", "1")] | Callable[..., int] | None = 1
    reserve: Annotated[float, Spec("ratio", 0, 0.9, "Share that urgent lanes alone may use.", "20%")] = 0.0
    name: Annotated[str, About("Windows of one name are one, whichever policy they stand in.", "orders")] | None = None

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if isinstance(self.weight, int) and self.weight > self.burst:
            told = f"{self.weight} can never be sent: allowed is 0 up to the burst of {self.burst}"
            raise PolicyError.of([Problem("QuotaSettings", 0, 0, "weight", told)])


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings(Section):
    """How calls of one kind are let in. A lane of a priority above 0 is urgent."""

    reserve: Annotated[int, Spec("count", 0, _MANY, "Places for this lane alone.", "2")] = 0
    priority: Annotated[int, Spec("count", -1000, 1000, "Higher is let in first, and turned away last.", "1")] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSettings(Section):
    """How many attempts run at the same time, and how many wait for a place; who waits for anything else holds none."""

    max_concurrent: Annotated[int, Spec("count", 1, _MANY, "Attempts that run at once.", "50")] = 50
    max_queue: Annotated[int, Spec("count", 0, _MANY, "Attempts that wait for a place.", "100")] = 0
    queue_timeout: Annotated[float, Spec("duration", 0, _DAY, "The longest wait for a place.", "1s")] = 1.0
    lanes: Annotated[
        Mapping[str, LaneSettings],
        About("Lanes by name; cancel is always there.", "{cancel: {reserve: 2, priority: 1}}"),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        kept = sum(lane.reserve for lane in self.lanes.values())
        if kept >= self.max_concurrent:
            told = f"{kept} places are reserved: nothing is left of max_concurrent, {self.max_concurrent}"
            raise PolicyError.of([Problem("AdmissionSettings", 0, 0, "lanes", told)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSettings(Section):
    """How a write in doubt is looked up before it may be sent again.

    `window`, `processing` and `lag` are the API's bounds W, P and L; None takes the integration's. Where
    a client signs and the request can carry a window, it carries this one; where it cannot, only
    `stamp_window` counts, which says how long the API accepts any signed stamp (a sandbox's is short).
    `fence` is the whole time after the last send from which "not found" is believed where no
    server time is known; None means 2 W + P + L.
    """

    checks: Annotated[int, Spec("count", 1, 1000, "Early looks before the fence.", "2")] = 2
    wait: Annotated[float, Spec("duration", 0, _HOUR, "Time between two looks.", "500ms", above=True)] = 0.5
    fence: Annotated[float, Spec("duration", 0, _DAY, "When 'not found' is believed.", "65s")] | None = None
    window: Annotated[float, Spec("duration", 0, _HOUR, "How long the API accepts a stamp.", "30s")] | None = None
    stamp_window: (
        Annotated[float, Spec("duration", 0, _HOUR, "How long the API accepts any signed stamp.", "30s")] | None
    ) = None
    processing: Annotated[float, Spec("duration", 0, _HOUR, "How long the API may work on a request.", "3s")] | None = (
        None
    )
    lag: Annotated[float, Spec("duration", 0, _HOUR, "How long an order may stay invisible.", "2s")] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeSettings(Section):
    """A second attempt beside a slow first one; the first good answer wins. For idempotent operations alone.

    `percentile` learns the delay from the calls that went well; `delay` serves until it has. A
    function that is not async is hedged in threads, and only where `threads` says that its client
    can be used by several: a loser then runs on, and its answer is thrown away.
    """

    delay: Annotated[float, Spec("duration", 0, _HOUR, "How long the first attempt has.", "200ms", above=True)] = 0.2
    percentile: Annotated[float, Spec("ratio", 0, 1, "Share of calls that are faster.", "95%", above=True)] | None = (
        None
    )
    max_hedges: Annotated[int, Spec("count", 1, 10, "Attempts beside the first.", "1")] = 1
    threads: Annotated[bool, About("Whether functions that are not async are hedged, in threads.", "true")] = False


class _NoValue:
    """Says that no value is given, since None may be one."""

    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE = _NoValue()


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackSettings(Section):
    """What the caller gets when a call fails for good. A write that may have happened is never covered up.

    In this order: the last good answer for the same arguments where it is not older than `last_good`;
    what `call` returns, which is asked with the `Call` (another endpoint, another client); `value`.
    """

    on: Annotated[
        tuple[Literal["retryable", "fatal", "user_fixable", "rejected"], ...],
        About("For which failures it stands in; rejected are our own refusals.", "[retryable, rejected]"),
    ] = ("retryable", "rejected")
    last_good: (
        Annotated[float, Spec("duration", 0, _DAY, "How old the last good answer may be.", "30s", above=True)] | None
    ) = None
    call: Callable[[Any], Any] | None = None
    value: Annotated[Any, About("What the caller gets when there is nothing better.", "{}")] = NO_VALUE

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.last_good is None and self.call is None and self.value is NO_VALUE:
            raise PolicyError.of([Problem("FallbackSettings", 0, 0, "", "expected last_good, call or value")])


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownErrorSettings(Section):
    """What to make of an error that no registry, HTTP status or transport name explains."""

    category: Annotated[Category, About("What helps against such an error.", "fatal")] = Category.RETRYABLE
    executed: Annotated[Executed, About("Whether the request may have taken effect.", "maybe")] = "maybe"
    max_attempts: Annotated[int, Spec("count", 1, 1000, "Attempts in all after such an error.", "2")] = 2
