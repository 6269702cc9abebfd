"""Says in sentences what a pipeline does. Times are written as in a policy file.

The input is the plain data that `Pipeline.describe` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._core.policy.units import Spec

__all__ = ["format_duration", "sentences", "timeline_rows"]

_DURATION = Spec("duration", 0, 0)


def format_duration(seconds: float | None) -> str:
    """Write a duration as a policy file does: 250ms, 5s, 2m. None is `no limit`."""
    return "no limit" if seconds is None else _DURATION.write(round(seconds, 6))


def sentences(described: Mapping[str, Any]) -> list[str]:
    """Return the sentences in the order in which a call meets what they describe."""
    parts = (_call, _operation, _before_an_attempt, _retries, _uncertain_writes, _end)
    return [sentence for part in parts for sentence in part(described)]


def timeline_rows(described: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of the timeline's table: attempt, waits before it, begins, ends by."""
    return [_timeline_row(attempt) for attempt in described["timeline"]]


def _timeline_row(attempt: Mapping[str, Any]) -> tuple[str, ...]:
    waits, begins = attempt["waits"], attempt["begins"]
    ends = format_duration(attempt["ends_by"])
    if not attempt["always_fits"]:
        ends += " (only if earlier attempts were quick)"
    elif attempt["cut_by_deadline"]:
        ends += " (cut by the deadline)"
    return str(attempt["attempt"]), _range(waits["least"], waits["longest"]), _range(*begins.values()), ends


def _range(least: float, most: float | None) -> str:
    if most is None:
        return f"after {format_duration(least)} or later"
    return format_duration(least) if least == most else f"{format_duration(least)} to {format_duration(most)}"


def _call(described: Mapping[str, Any]) -> Iterator[str]:
    deadline, limit = described["deadline"], described["attempt_timeout"]
    if deadline is None:
        yield "A call has no time limit."
    else:
        yield f"The whole call, waits included, may take {format_duration(deadline)}."
    if limit is not None:
        yield f"An attempt may take {format_duration(limit)}, or what remains of the call if that is less."
    yield f"Error codes are looked up in {', then '.join(described['codes'])}."


def _operation(described: Mapping[str, Any]) -> Iterator[str]:
    if described["operation"] is None:
        return
    idempotent = described["idempotent"]
    if idempotent is None:
        yield "The client or the decorator says whether it may be sent twice; otherwise it is treated as a write."
    elif idempotent:
        yield "It is idempotent: it may be sent twice."
    else:
        yield "It is a write: it is sent again only if it provably did not happen."
    if described["key"]:
        yield f"Its idempotency key is sent in {described['key']}; a key is made if the caller gives none."
    if described["lane"]:
        yield f"It uses the lane {described['lane']}."


def _before_an_attempt(described: Mapping[str, Any]) -> Iterator[str]:
    if (breaker := described["breaker"]) is not None:
        yield from _breaker(breaker)
    for quota in described["quota"]:
        span = format_duration(quota["span"])
        yield f"At most {quota['burst']} attempts are sent per {span}; others wait if the deadline allows it."
    if (admission := described["admission"]) is not None:
        lanes = [f"{lane}" for lane in admission["lanes"] if lane != "default"]
        yield (
            f"At most {admission['max_concurrent']} attempts run at once and {admission['max_queue']} wait for a slot; "
            f"separate lanes: {', '.join(lanes) or 'none'}."
        )


def _breaker(breaker: Mapping[str, Any]) -> Iterator[str]:
    kind = breaker["keyed_by"] or "policy (and per host, where the client names one)"
    shadow = " It only measures and rejects nothing." if breaker["mode"] == "shadow" else ""
    reasons = list(_breaker_reasons(breaker))
    when = f"when {' or when '.join(reasons)}" if reasons else "by hand only"
    yield f"A circuit breaker per {kind} opens {when}.{shadow}"
    first, longest = breaker["open_for"], max(breaker["open_max"], breaker["open_for"])
    growth = f", later for up to {format_duration(longest)}" if breaker["growth"] > 1 and longest > first else ""
    effects = {
        "reject": "calls are rejected at once",
        "wait_retries": "retries wait for it and first attempts are rejected at once",
        "wait": "attempts wait for it if the deadline allows it",
    }
    effect = effects[breaker["when_open"]]
    yield f"It stays open for {format_duration(first)}{growth}; meanwhile {effect}."


def _breaker_reasons(breaker: Mapping[str, Any]) -> Iterator[str]:
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


def _retries(described: Mapping[str, Any]) -> Iterator[str]:
    attempts = described["max_attempts"]
    if attempts is None:
        yield "An object of the program decides how often a call is tried again."
    elif attempts < 2:
        yield "A call is not tried again."
    else:
        yield f"A retryable failure is tried again, {attempts} attempts in all; a fatal or user-fixable one is not."
    if (budget := described["budget"]) is not None and attempts != 1:
        share, floor = f"{budget['ratio']:.0%}", f"{budget['floor']:g} per second"
        yield f"Retries are limited to {share} of the policy's calls, or to {floor} if that is more."
    if (hedge := described["hedge"]) is not None:
        delay = format_duration(hedge["delay"])
        times = "once more" if hedge["max_hedges"] == 1 else f"up to {hedge['max_hedges']} more times"
        yield f"An idempotent call without an answer after {delay} is sent {times}."


def _uncertain_writes(described: Mapping[str, Any]) -> Iterator[str]:
    if described["idempotent"]:
        return
    reconcile = described["reconcile"]
    checks, wait = reconcile["early_checks"], format_duration(reconcile["wait"])
    yield (
        f"If a write's outcome is uncertain and a reconciler is set, it is looked up {checks} times, {wait} apart, and "
        f"once more at the fence, at most {format_duration(reconcile['fence'])} after the last send. Otherwise it is "
        "reported as unknown."
    )


def _end(described: Mapping[str, Any]) -> Iterator[str]:
    if (fallback := described["fallback"]) is not None:
        age = fallback["stale_for"]
        sources = [
            f"the last good answer, if it is not older than {format_duration(age)}" if age else None,
            "the result of a function" if fallback["call"] else None,
            "a fixed value" if fallback["value"] else None,
        ]
        yield f"If the call fails, the caller gets {', otherwise '.join(source for source in sources if source)}."
    if described["stages"]:
        yield f"Custom stages, run around each attempt: {', '.join(described['stages'])}."
    # The timeline assumes that each attempt takes its limit and each wait its longest.
    certain = [attempt["ends_by"] for attempt in described["timeline"] if attempt["always_fits"]]
    if certain and certain[-1] is not None:
        last = format_duration(certain[-1])
        yield f"If every attempt takes all of its time, {len(certain)} are made and the last one ends after {last}."
