"""Describes the stage breaker: its state and settings, when it opens, and settings of it that have no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import floor
from typing import Any

from ..policy.policy import Policy
from ..policy.sections import BreakerSettings, QuotaSettings
from ..policy.units import Calls
from .built_in_stage import BuiltInStage, StageView, Warnings
from .duration_text import format_duration
from .flowchart import Flowchart

__all__ = ["BreakerStage"]

_EFFECTS = {
    "reject": "calls are rejected at once",
    "wait_retries": "retries wait for it and first attempts are rejected at once",
    "wait": "attempts wait for it if the deadline allows it",
}


class BreakerStage(BuiltInStage):
    """The circuit breaker. It rejects before the quota is paid, and gives its permit after the slot was taken."""

    name = "breaker"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return the breaker's settings and state."""
        rules, breaker = view.policy.breaker, view.breaker
        key = None if rules is None else rules.key
        keyed_by = "function" if callable(key) else key
        return {"breaker": None if breaker is None else {**breaker.describe(), "keyed_by": keyed_by}}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield when it opens and for how long."""
        breaker = described["breaker"]
        if breaker is None:
            return
        kind = breaker["keyed_by"] or "policy (and per host, where the client names one)"
        shadow = " It only measures and rejects nothing." if breaker["mode"] == "shadow" else ""
        reasons = list(_reasons(breaker))
        when = f"when {' or when '.join(reasons)}" if reasons else "by hand only"
        yield f"A circuit breaker per {kind} opens {when}.{shadow}"
        first, longest = breaker["open_for"], max(breaker["open_max"], breaker["open_for"])
        growth = f", later for up to {format_duration(longest)}" if breaker["growth"] > 1 and longest > first else ""
        yield f"It stays open for {format_duration(first)}{growth}; meanwhile {_EFFECTS[breaker['when_open']]}."

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Draw its check."""
        if (breaker := described["breaker"]) is not None:
            text = f"breaker of {breaker['key']}: closed?"
            chart.check("breaker", text, passed="closed", rejected="open")

    def warnings(self, policy: Policy) -> Warnings:
        """Yield settings of the breaker that have no effect."""
        rules = policy.breaker
        if rules is not None:
            yield from _useless_settings(rules, policy)
            yield from _rates_that_never_count(rules, policy)


def _reasons(breaker: Mapping[str, Any]) -> Iterator[str]:
    span = breaker["window"]
    window = span if isinstance(span, str) else format_duration(span)
    counted = f"of at least {breaker['min_calls']} attempts"
    if breaker["consecutive"] is not None:
        yield f"{breaker['consecutive']} attempts failed in a row"
    if breaker["failure_rate"] is not None:
        yield f"{100 * breaker['failure_rate']:g}% {counted} failed in {window}"
    if breaker["slow_rate"] is not None:
        slow_after = format_duration(breaker["slow_after"])
        yield f"{100 * breaker['slow_rate']:g}% {counted} took longer than {slow_after} in {window}"


def _useless_settings(rules: BreakerSettings, policy: Policy) -> Warnings:
    limit = policy.attempt_timeout
    if rules.failure_rate is None and rules.slow_rate is None and rules.consecutive is None:
        yield ("breaker",), "nothing opens the breaker; set failure_rate, slow_rate or consecutive"
    slow = rules.slow_after if rules.slow_rate is not None else None
    if slow is not None and limit is not None and slow >= limit:
        message = f"breaker.slow_after of {slow:g}s is never reached"
        yield (
            ("attempt_timeout", "breaker.slow_after"),
            f"{message}: an attempt fails after the attempt_timeout of {limit:g}s",
        )
    if rules.slow_after is not None and rules.slow_rate is None:
        yield ("breaker.slow_after",), "slow_after has no effect without slow_rate"
    if rules.when_open != "reject" and policy.deadline is not None and rules.open_for >= policy.deadline:
        message = f"a wait for the breaker ({rules.open_for:g}s) never fits the deadline of {policy.deadline:g}s"
        yield ("breaker.when_open", "breaker.open_for", "deadline"), message


def _rates_that_never_count(rules: BreakerSettings, policy: Policy) -> Warnings:
    """Warn about a breaker whose rates never count because the quota allows too few attempts."""
    if isinstance(rules.window, Calls) or (rules.failure_rate is None and rules.slow_rate is None):
        return
    for index, quota in enumerate(policy.quota):
        attempts = _max_attempts_in(rules.window, quota)
        if _limits_all_of(rules, quota) and attempts < rules.min_calls:
            message = f"the quota allows at most {attempts} attempts in the breaker's window of {rules.window:g}s"
            end = "its rates never count" if rules.consecutive is not None else "it can never open"
            yield (
                ("breaker.window", "breaker.min_calls", f"quota[{index}].rate"),
                f"{message}, but min_calls is {rules.min_calls}: {end}",
            )
            return


def _limits_all_of(rules: BreakerSettings, quota: QuotaSettings) -> bool:
    """Return whether the window counts every attempt of a breaker: all operations, under no narrower key."""
    narrow = (quota.key == "operation" and rules.key != "operation") or (quota.key is not None and callable(quota.key))
    return not quota.operations and not narrow and isinstance(quota.weight, int) and quota.weight > 0


def _max_attempts_in(window: float, quota: QuotaSettings) -> int:
    weight = quota.weight if isinstance(quota.weight, int) else 1
    # At most `burst` per span of burst / rate seconds; a window touches one span more than it contains.
    spans = floor(window / (quota.burst / quota.rate)) + 1
    return spans * (quota.burst // max(1, weight))
