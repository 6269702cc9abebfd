"""Defines the sections of a policy, one frozen class each.

To add a setting, add a field here: validation, the loader, the JSON schema and the reference read its annotation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from ...errors import PolicyError, Problem
from .backoff import BackoffKindName
from .codes import Category, Executed
from .old_spellings import OldSpelling
from .section import Section, renamed, section_name
from .units import About, Calls, Spec

__all__ = [
    "NO_VALUE",
    "AdmissionSettings",
    "BackoffSettings",
    "BreakerSettings",
    "BudgetSettings",
    "CacheSettings",
    "FallbackSettings",
    "HalfOpenSettings",
    "HedgeSettings",
    "LaneSettings",
    "QuotaSettings",
    "ReconcileSettings",
    "RetrySettings",
    "UnknownErrorSettings",
]

_HOUR, _DAY, _YEAR, _MANY = 3600.0, 86400.0, 366 * 86400.0, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffSettings(Section):
    """How the delay grows from retry to retry, and its random part."""

    kind: Annotated[BackoffKindName, About("How the delay grows.", "exponential")] = "exponential"
    initial: Annotated[float, Spec("duration", 0, _HOUR, "The delay before the first retry.", "200ms")] = 0.2
    factor: Annotated[float, Spec("factor", 1, 100, "The factor by which an exponential delay grows.", "2")] = 2.0
    max: Annotated[float, Spec("duration", 0, _DAY, "The longest delay, before jitter.", "5s")] = 5.0
    jitter: Annotated[
        Literal["none", "full", "equal"],
        About("How each delay is randomised: not at all, from 0 to the delay, or from half of it.", "full"),
    ] = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings(Section):
    """How often and after which delays a failed attempt is retried."""

    max_attempts: Annotated[int, Spec("count", 1, 1000, "Attempts in total, the first included.", "4")] = 3
    backoff: Annotated[
        BackoffSettings, About("How the delay grows from retry to retry.", "{initial: 200ms, max: 5s}")
    ] = field(default_factory=BackoffSettings)
    stop: Callable[..., Any] | None = None
    """A stop object of tenacity, in Python only; it replaces `max_attempts`."""
    wait: Callable[..., Any] | None = None
    """A wait object of tenacity, in Python only; it replaces `backoff`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings(Section):
    """Limits retries to a share of the calls: each call adds `ratio` to the budget, each retry takes 1."""

    ratio: Annotated[float, Spec("ratio", 0, 10, "Retries allowed per call.", "20%")] = 0.2
    floor: Annotated[float, Spec("rate", 0, _MANY, "Retries that are always allowed.", "1/s")] = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfOpenSettings(Section):
    """How a breaker tests the service after it was open."""

    permits: Annotated[int, Spec("count", 1, 10_000, "Attempts permitted at the same time.", "1")] = 1
    successes: Annotated[int, Spec("count", 1, 10_000, "Successes that close it.", "1")] = 1


@renamed(OldSpelling("wait", "when_open", ((False, "reject"), (True, "wait_retries"), ("all", "wait"))))
@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerSettings(Section):
    """When to stop calling a service that fails or is slow, and for how long.

    The breaker opens after `consecutive` failures in a row, or when the share `failure_rate` of the attempts in the
    last `window` (a duration or a number of calls) failed, or when `slow_rate` of them took longer than
    `slow_after`. The two rates count after `min_calls` attempts have ended, or after a window of calls is full.
    Each of the three conditions may be None.
    """

    failure_rate: (
        Annotated[float, Spec("ratio", 0, 1, "Share of failures that opens it.", "80%", above=True)] | None
    ) = 0.8
    slow_rate: (
        Annotated[float, Spec("ratio", 0, 1, "Share of slow successes that opens it.", "90%", above=True)] | None
    ) = None
    slow_after: Annotated[float, Spec("duration", 0, _DAY, "A success that takes longer is slow.", "2s")] | None = None
    window: Annotated[
        float | Calls, Spec("window", 0, _DAY, "The window of the rates: `10s` or `100 calls`.", "10s", above=True)
    ] = 10.0
    min_calls: Annotated[int, Spec("count", 1, _MANY, "Attempts that must have ended before a rate counts.", "20")] = 20
    consecutive: Annotated[int, Spec("count", 1, _MANY, "Failures in a row that open it.", "10")] | None = None
    open_for: Annotated[float, Spec("duration", 0, _DAY, "How long it stays open at first.", "1s", above=True)] = 1.0
    growth: Annotated[float, Spec("factor", 1, 100, "Growth of that time after each failed trial.", "2")] = 2.0
    open_max: Annotated[float, Spec("duration", 0, _DAY, "The longest time it stays open.", "5s", above=True)] = 5.0
    half_open: Annotated[
        HalfOpenSettings, About("How it tests the service before it closes.", "{permits: 1, successes: 1}")
    ] = field(default_factory=HalfOpenSettings)
    when_open: Annotated[
        Literal["reject", "wait_retries", "wait"],
        About(
            "What attempts do while it is open: all are rejected, retries wait inside the deadline, or all wait.",
            "wait_retries",
        ),
    ] = "reject"
    mode: Annotated[
        Literal["enforce", "shadow"], About("shadow measures and reports, but never rejects.", "shadow")
    ] = "enforce"
    key: (
        Annotated[
            Literal["host", "operation", "account"],
            About("What has its own breaker; by default each policy, and each host where the host is known.", "host"),
        ]
        | Callable[..., str]
        | None
    ) = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings(Section):
    """A rate limit of the API, which every attempt counts against: at most `burst` in any `burst / rate` seconds.

    Entries with the same name share one window across policies; without a name a window belongs to its policy.
    There is one window per `key`: per host, operation or account, or by default per known host and account.
    """

    rate: Annotated[float, Spec("rate", 0, _MANY, "Attempts allowed per second.", "10/s", above=True)] = 10.0
    burst: Annotated[int, Spec("count", 1, _MANY, "Attempts allowed at once.", "10")] = 1
    key: (
        Annotated[
            Literal["host", "operation", "account"],
            About("What has its own window; by default each known host and account.", "account"),
        ]
        | Callable[..., str]
        | None
    ) = None
    operations: Annotated[
        tuple[str, ...], About("Globs of the operations that count; none means all.", '["*_order"]')
    ] = ()
    weight: Annotated[int, Spec("count", 0, _MANY, "How much one attempt counts.", "1")] | Callable[..., int] | None = 1
    reserve: Annotated[float, Spec("ratio", 0, 0.9, "Share that is reserved for high-priority lanes.", "20%")] = 0.0
    name: Annotated[str, About("Entries with the same name share one window across policies.", "orders")] | None = None

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if isinstance(self.weight, int) and self.weight > self.burst:
            message = f"{self.weight} can never be sent (0 to the burst of {self.burst})"
            raise PolicyError.of([Problem(section_name(QuotaSettings), 0, 0, "weight", message)])


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings(Section):
    """How attempts of one lane are admitted. A lane with a priority above 0 has high priority."""

    reserve: Annotated[int, Spec("count", 0, _MANY, "Slots reserved for this lane.", "2")] = 0
    priority: Annotated[
        int, Spec("count", -1000, 1000, "A higher priority is admitted first and rejected last.", "1")
    ] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSettings(Section):
    """How many attempts run at the same time and how many wait for a slot.

    A call that waits for anything else, such as a retry's delay, holds no slot.
    """

    max_concurrent: Annotated[int, Spec("count", 1, _MANY, "Attempts that run at once.", "50")] = 50
    max_queue: Annotated[int, Spec("count", 0, _MANY, "Attempts that may wait for a slot.", "100")] = 0
    queue_timeout: Annotated[float, Spec("duration", 0, _DAY, "The longest wait for a slot.", "1s")] = 1.0
    lanes: Annotated[
        Mapping[str, LaneSettings],
        About("Lanes by name; cancel always exists.", "{cancel: {reserve: 2, priority: 1}}"),
    ] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        reserved = sum(lane.reserve for lane in self.lanes.values())
        if reserved >= self.max_concurrent:
            message = (
                f"{reserved} slots are reserved, but max_concurrent is {self.max_concurrent}: at least one must be left"
            )
            raise PolicyError.of([Problem(section_name(AdmissionSettings), 0, 0, "lanes", message)])


@renamed(OldSpelling("checks", "early_checks"))
@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSettings(Section):
    """How a write with an uncertain outcome is looked up before it may be sent again.

    `window`, `processing` and `lag` are the API's bounds W, P and L (docs/explanation/exactly-once.md); None takes
    those of the integration. A client that signs sends `window` with the request if the API allows it. Otherwise
    only `stamp_window` counts: how long the API accepts a signed timestamp, which is short in a sandbox.
    `fence` is the time after the last send from which "not found" is proof where no server time is known; None
    means 2 W + P + L.
    """

    early_checks: Annotated[int, Spec("count", 1, 1000, "Early lookups, before the fence.", "2")] = 2
    wait: Annotated[float, Spec("duration", 0, _HOUR, "Time between two lookups.", "500ms", above=True)] = 0.5
    fence: (
        Annotated[float, Spec("duration", 0, _DAY, "Time after the last send from which 'not found' is proof.", "65s")]
        | None
    ) = None
    window: Annotated[float, Spec("duration", 0, _HOUR, "How long the API accepts a timestamp.", "30s")] | None = None
    stamp_window: (
        Annotated[float, Spec("duration", 0, _HOUR, "How long the API accepts any signed timestamp.", "30s")] | None
    ) = None
    processing: Annotated[float, Spec("duration", 0, _HOUR, "How long the API may process a request.", "3s")] | None = (
        None
    )
    lag: Annotated[float, Spec("duration", 0, _HOUR, "How long an order may be missing from lookups.", "2s")] | None = (
        None
    )
    retention: (
        Annotated[
            float,
            Spec(
                "duration",
                0,
                _YEAR,
                "How long lookups know an order; later 'not found' says nothing.",
                "2h",
                above=True,
            ),
        ]
        | None
    ) = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeSettings(Section):
    """Starts a second attempt while a slow first one still runs; the first success wins. Idempotent operations only.

    With `percentile` the delay is learned from successful calls, and `delay` is used until there are enough. A
    function that is not async is hedged in threads, and only if `threads` allows it, since its client must be
    thread-safe. The losing attempt keeps running; its result is discarded.
    """

    delay: Annotated[float, Spec("duration", 0, _HOUR, "When the second attempt starts.", "200ms", above=True)] = 0.2
    percentile: (
        Annotated[float, Spec("ratio", 0, 1, "Share of the calls that are faster than the delay.", "95%", above=True)]
        | None
    ) = None
    max_hedges: Annotated[int, Spec("count", 1, 10, "Additional attempts.", "1")] = 1
    threads: Annotated[bool, About("Whether functions that are not async are hedged in threads.", "true")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSettings(Section):
    """Keeps answers of reads for a short time and gives copies of them to later calls with the same arguments.

    Answers are kept for each client object, policy and operation. They must be plain data: HTTP responses and streams
    are not kept. Without `operations` they are those of the operations that an integration knows to be reads. For
    functions and clients of your own, `operations` says which of the idempotent operations only read.
    """

    # Not `for`, which is a keyword of Python; not `ttl`, which is no word of ours. `max_age` is the word of HTTP (RFC
    # 9111), and says like `max_attempts` that it is a limit.
    max_age: Annotated[
        float,
        Spec("duration", 0, _HOUR, "How old an answer may be, counted from when it was requested.", "2s", above=True),
    ] = 1.0
    max_entries: Annotated[
        int, Spec("count", 1, _MANY, "Answers kept for one client and operation; the oldest is dropped first.", "1000")
    ] = 1000
    operations: Annotated[
        tuple[str, ...], About("Globs of idempotent operations of your own code that only read.", '["get_*"]')
    ] = ()


class _NoValue:
    """Marks a missing value, since None may be one."""

    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE = _NoValue()


@renamed(OldSpelling("last_good", "stale_for"))
@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackSettings(Section):
    """What the caller gets when a call fails finally. A write with an uncertain outcome always raises.

    Tried in this order: the last successful answer for the same arguments, if it is not older than `stale_for`; the
    result of `call`, which gets the failed call and may use another endpoint or client; `value`.
    """

    on: Annotated[
        tuple[Literal["retryable", "fatal", "user_fixable", "rejected"], ...],
        About("The failures that it replaces; rejected are calls that this library rejected.", "[retryable, rejected]"),
    ] = ("retryable", "rejected")
    stale_for: (
        Annotated[float, Spec("duration", 0, _DAY, "How old the last successful answer may be.", "30s", above=True)]
        | None
    ) = None
    call: Callable[[Any], Any] | None = None
    value: Annotated[Any, About("The value that the caller gets otherwise.", "{}")] = NO_VALUE

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.stale_for is None and self.call is None and self.value is NO_VALUE:
            raise PolicyError.of(
                [Problem(section_name(FallbackSettings), 0, 0, "", "expected stale_for, call or value")]
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownErrorSettings(Section):
    """How an error is handled that no registry, HTTP status or transport error explains."""

    category: Annotated[Category, About("The category of such an error.", "fatal")] = Category.RETRYABLE
    executed: Annotated[Executed, About("Whether the request may have taken effect.", "maybe")] = "maybe"
    max_attempts: Annotated[int, Spec("count", 1, 1000, "Attempts in total after such an error.", "2")] = 2
