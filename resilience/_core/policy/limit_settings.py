"""Defines the settings that limit how much is sent: quotas of the API, and slots of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from .contradictions import Contradiction, Rule
from .given import Duration, Given, Keys, Number, default
from .section import Section
from .units import About, Spec

__all__ = ["AdmissionSettings", "LaneSettings", "QuotaSettings"]

_DAY, _MANY = 86400.0, 1_000_000


def _weights_above_burst(quota: Any) -> Iterator[Contradiction]:
    if isinstance(quota.weight, int) and quota.weight > quota.burst:
        yield Contradiction("weight", f"{quota.weight} can never be sent (0 to the burst of {quota.burst})", "burst")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaSettings(Section):
    """A rate limit of the API, which every attempt counts against: at most `burst` in any `burst / rate` seconds.

    Entries with the same name share one window across policies; without a name a window belongs to its policy.
    There is one window per `key`: per host, operation or account, or by default per known host and account.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (_weights_above_burst,)

    rate: Given[
        Annotated[float, Spec("rate", 0, _MANY, "Attempts allowed per second.", "10/s", above=True)], Number
    ] = default(10.0)
    burst: Annotated[int, Spec("count", 1, _MANY, "Attempts allowed at once.", "10")] = 1
    key: (
        Annotated[
            Literal["host", "operation", "account"],
            About("What has its own window; by default each known host and account.", "account"),
        ]
        | Callable[..., str]
        | None
    ) = None
    operations: Given[
        Annotated[tuple[str, ...], About("Globs of the operations that count; none means all.", '["*_order"]')],
        Sequence[str],
    ] = default(())
    weight: Annotated[int, Spec("count", 0, _MANY, "How much one attempt counts.", "1")] | Callable[..., int] | None = 1
    reserve: Given[
        Annotated[float, Spec("ratio", 0, 0.9, "Share that is reserved for high-priority lanes.", "20%")], Number
    ] = default(0.0)
    name: Annotated[str, About("Entries with the same name share one window across policies.", "orders")] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneSettings(Section):
    """How attempts of one lane are admitted. A lane with a priority above 0 has high priority."""

    reserve: Annotated[int, Spec("count", 0, _MANY, "Slots reserved for this lane.", "2")] = 0
    priority: Annotated[
        int, Spec("count", -1000, 1000, "A higher priority is admitted first and rejected last.", "1")
    ] = 0


def _reserved_slots(admission: Any) -> Iterator[Contradiction]:
    reserved, slots = sum(lane.reserve for lane in admission.lanes.values()), admission.max_concurrent
    if reserved >= slots:
        message = f"{reserved} slots are reserved, but max_concurrent is {slots}: at least one must be left"
        yield Contradiction("lanes", message, "max_concurrent")


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSettings(Section):
    """How many attempts run at the same time and how many wait for a slot.

    A call that waits for anything else, such as a retry's delay, holds no slot.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (_reserved_slots,)

    max_concurrent: Annotated[int, Spec("count", 1, _MANY, "Attempts that run at once.", "50")] = 50
    max_queue: Annotated[int, Spec("count", 0, _MANY, "Attempts that may wait for a slot.", "100")] = 0
    queue_timeout: Given[
        Annotated[float, Spec("duration", 0, _DAY, "The longest wait for a slot.", "1s")], Duration
    ] = default(1.0)
    lanes: Given[
        Annotated[
            Mapping[str, LaneSettings],
            About("Lanes by name; cancel always exists.", "{cancel: {reserve: 2, priority: 1}}"),
        ],
        Mapping[str, LaneSettings | Keys],
    ] = default(field(default_factory=dict))
