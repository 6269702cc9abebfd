"""Defines the settings of what else decides a call: lookups of uncertain writes, hedging and fallbacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from .contradictions import Contradiction, Rule
from .given import Duration, Given, Number, default
from .old_spellings import OldSpelling
from .renaming import renamed
from .section import Section
from .units import About, Spec

__all__ = ["NO_VALUE", "FallbackSettings", "HedgeSettings", "ReconcileSettings"]

_HOUR, _DAY, _YEAR = 3600.0, 86400.0, 366 * 86400.0


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
    wait: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "Time between two lookups.", "500ms", above=True)], Duration
    ] = default(0.5)
    fence: Given[
        Annotated[float, Spec("duration", 0, _DAY, "Time after the last send from which 'not found' is proof.", "65s")]
        | None,
        Duration | None,
    ] = default(None)
    window: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "How long the API accepts a timestamp.", "30s")] | None,
        Duration | None,
    ] = default(None)
    stamp_window: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "How long the API accepts any signed timestamp.", "30s")] | None,
        Duration | None,
    ] = default(None)
    processing: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "How long the API may process a request.", "3s")] | None,
        Duration | None,
    ] = default(None)
    lag: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "How long an order may be missing from lookups.", "2s")] | None,
        Duration | None,
    ] = default(None)
    retention: Given[
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
        | None,
        Duration | None,
    ] = default(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeSettings(Section):
    """Starts a second attempt while a slow first one still runs; the first success wins. Idempotent operations only.

    With `percentile` the delay is learned from successful calls, and `delay` is used until there are enough. A
    function that is not async is hedged in threads, and only if `threads` allows it, since its client must be
    thread-safe. The losing attempt keeps running; its result is discarded.
    """

    delay: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "When the second attempt starts.", "200ms", above=True)], Duration
    ] = default(0.2)
    percentile: Given[
        Annotated[float, Spec("ratio", 0, 1, "Share of the calls that are faster than the delay.", "95%", above=True)]
        | None,
        Number | None,
    ] = default(None)
    max_hedges: Annotated[int, Spec("count", 1, 10, "Additional attempts.", "1")] = 1
    threads: Annotated[bool, About("Whether functions that are not async are hedged in threads.", "true")] = False


class _NoValue:
    """Marks a missing value, since None may be one."""

    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE = _NoValue()


def _nothing_to_return(fallback: Any) -> Iterator[Contradiction]:
    if fallback.stale_for is None and fallback.call is None and fallback.value is NO_VALUE:
        yield Contradiction("", "expected stale_for, call or value")


@renamed(OldSpelling("last_good", "stale_for"))
@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackSettings(Section):
    """What the caller gets when a call fails finally. A write with an uncertain outcome always raises.

    Tried in this order: the last successful answer for the same arguments, if it is not older than `stale_for`; the
    result of `call`, which gets the failed call and may use another endpoint or client; `value`.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (_nothing_to_return,)

    on: Given[
        Annotated[
            tuple[Literal["retryable", "fatal", "user_fixable", "rejected"], ...],
            About(
                "The failures that it replaces; rejected are calls that this library rejected.", "[retryable, rejected]"
            ),
        ],
        Sequence[Literal["retryable", "fatal", "user_fixable", "rejected"]],
    ] = default(("retryable", "rejected"))
    stale_for: Given[
        Annotated[float, Spec("duration", 0, _DAY, "How old the last successful answer may be.", "30s", above=True)]
        | None,
        Duration | None,
    ] = default(None)
    call: Callable[[Any], Any] | None = None
    value: Annotated[Any, About("The value that the caller gets otherwise.", "{}")] = NO_VALUE
