"""Defines the settings of circuit breakers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Literal

from .given import Duration, Given, Keys, Number, default
from .old_spellings import OldSpelling
from .renaming import renamed
from .section import Section
from .units import About, Calls, Spec

__all__ = ["BreakerSettings", "HalfOpenSettings"]

_DAY, _MANY = 86400.0, 1_000_000


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

    failure_rate: Given[
        Annotated[float, Spec("ratio", 0, 1, "Share of failures that opens it.", "80%", above=True)] | None,
        Number | None,
    ] = default(0.8)
    slow_rate: Given[
        Annotated[float, Spec("ratio", 0, 1, "Share of slow successes that opens it.", "90%", above=True)] | None,
        Number | None,
    ] = default(None)
    slow_after: Given[
        Annotated[float, Spec("duration", 0, _DAY, "A success that takes longer is slow.", "2s")] | None,
        Duration | None,
    ] = default(None)
    window: Given[
        Annotated[
            float | Calls, Spec("window", 0, _DAY, "The window of the rates: `10s` or `100 calls`.", "10s", above=True)
        ],
        Duration | Calls,
    ] = default(10.0)
    min_calls: Annotated[int, Spec("count", 1, _MANY, "Attempts that must have ended before a rate counts.", "20")] = 20
    consecutive: Annotated[int, Spec("count", 1, _MANY, "Failures in a row that open it.", "10")] | None = None
    open_for: Given[
        Annotated[float, Spec("duration", 0, _DAY, "How long it stays open at first.", "1s", above=True)], Duration
    ] = default(1.0)
    growth: Annotated[float, Spec("factor", 1, 100, "Growth of that time after each failed trial.", "2")] = 2.0
    open_max: Given[
        Annotated[float, Spec("duration", 0, _DAY, "The longest time it stays open.", "5s", above=True)], Duration
    ] = default(5.0)
    half_open: Given[
        Annotated[HalfOpenSettings, About("How it tests the service before it closes.", "{permits: 1, successes: 1}")],
        HalfOpenSettings | Keys,
    ] = default(field(default_factory=HalfOpenSettings))
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
