"""What a pipeline does, in sentences. Seconds are written as a policy file writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._core.policy.units import Spec

__all__ = ["seconds", "sentences", "timeline_rows"]

_SECONDS = Spec("duration", 0, 0)


def seconds(number: float | None) -> str:
    """Write seconds the way a policy file does."""
    return "no limit" if number is None else _SECONDS.write(round(number, 6))


def sentences(told: Mapping[str, Any]) -> list[str]:
    """Return what `Pipeline.describe` tells, a sentence each, in the order in which a call meets it."""
    return [*_call(told), *_operation(told), *_gates(told), *_retries(told), *_doubt(told), *_ends(told)]


def timeline_rows(told: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the rows of the timeline's table."""
    return [_row(one) for one in told["timeline"]]


def _row(one: Mapping[str, Any]) -> tuple[str, ...]:
    waits, begins = one["waits"], one["begins"]
    ends = "no limit" if one["ends_by"] is None else seconds(one["ends_by"])
    if not one["always_fits"]:
        ends += " (only where earlier ones were quick)"
    elif one["cut_by_deadline"]:
        ends += " (cut by the deadline)"
    return str(one["attempt"]), _between(waits["least"], waits["longest"]), _between(*begins.values()), ends


def _between(least: float, most: float | None) -> str:
    if most is None:
        return f"after {seconds(least)} or later"
    return seconds(least) if least == most else f"{seconds(least)} to {seconds(most)}"


def _call(told: Mapping[str, Any]) -> Iterator[str]:
    end, limit = told["deadline"], told["attempt_timeout"]
    yield "A call may take as long as it likes." if end is None else f"A call has {seconds(end)}, waits included."
    if limit is not None:
        yield f"An attempt has {seconds(limit)}, and never more than what is left of the call."
    yield f"Errors are looked up in {', then '.join(told['codes'])}."


def _operation(told: Mapping[str, Any]) -> Iterator[str]:
    if told["operation"] is None:
        return
    harmless = told["idempotent"]
    if harmless is None:
        yield "Whether sending it twice is harmless is for the client or the decorator to say; else it is a write."
    else:
        yield "Sending it twice is harmless." if harmless else "It is a write: it is never blindly sent twice."
    if told["key"]:
        yield f"Its idempotency key travels in {told['key']}; one is made where the caller gives none."
    if told["lane"]:
        yield f"It takes the lane {told['lane']}."


def _gates(told: Mapping[str, Any]) -> Iterator[str]:
    if (breaker := told["breaker"]) is not None:
        yield from _breaker(breaker)
    for one in told["quota"]:
        span = seconds(one["span"])
        yield f"At most {one['burst']} attempts leave in {span}; the others wait if the deadline allows."
    if (slots := told["admission"]) is not None:
        lanes = [f"{lane}" for lane in slots["lanes"] if lane != "default"]
        yield (
            f"At most {slots['max_concurrent']} attempts run at once, and {slots['max_queue']} wait for a place; "
            f"lanes of their own: {', '.join(lanes) or 'none'}."
        )


def _breaker(breaker: Mapping[str, Any]) -> Iterator[str]:
    span = breaker["window"]
    reasons = []
    if breaker["consecutive"] is not None:
        reasons.append(f"{breaker['consecutive']} attempts failed in a row")
    window = span if isinstance(span, str) else seconds(span)
    counted = f"of at least {breaker['min_calls']} attempts"
    if breaker["failure_rate"] is not None:
        reasons.append(f"{100 * breaker['failure_rate']:g}% {counted} failed in {window}")
    if breaker["slow_rate"] is not None:
        slow = f"took longer than {seconds(breaker['slow_after'])} in {window}"
        reasons.append(f"{100 * breaker['slow_rate']:g}% {counted} {slow}")
    kind = breaker["keyed_by"] or "policy (and for each host that the client names)"
    shadow = " It only measures, and refuses nothing." if breaker["mode"] == "shadow" else ""
    when = f"when {' or when '.join(reasons)}" if reasons else "by hand alone"
    yield f"A circuit breaker for each {kind} opens {when}.{shadow}"
    longest = max(breaker["open_max"], breaker["open_for"])
    grows = f", later for up to {seconds(longest)}" if breaker["growth"] > 1 and longest > breaker["open_for"] else ""
    waits = {
        "reject": "calls are refused at once",
        "wait_retries": "retries wait for it, first attempts are refused at once",
    }
    what = waits.get(breaker["when_open"], "attempts wait for it if the deadline allows")
    yield f"Open, it stays so for {seconds(breaker['open_for'])}{grows}; meanwhile {what}."


def _retries(told: Mapping[str, Any]) -> Iterator[str]:
    most = told["max_attempts"]
    if most is None:
        yield "An object of the program decides how often it is tried again."
    elif most < 2:
        yield "It is not tried again."
    else:
        yield f"A retryable failure is tried again, {most} attempts in all; fatal and user-fixable ones are not."
    if (budget := told["budget"]) is not None and most != 1:
        floor = f"{budget['floor']:g} a second"
        yield f"Retries may be {budget['ratio']:.0%} of the calls of this policy, or {floor} where that is more."
    if (hedge := told["hedge"]) is not None:
        yield f"A harmless call that is slow gets {hedge['max_hedges']} more beside it after {seconds(hedge['delay'])}."


def _doubt(told: Mapping[str, Any]) -> Iterator[str]:
    if told["idempotent"]:
        return
    rules = told["reconcile"]
    yield (
        "A write in doubt is looked up where there is a reconciler, and else told as unknown: "
        f"{rules['early_checks']} early looks {seconds(rules['wait'])} apart, then one when 'not found' is proof, "
        f"{seconds(rules['fence'])} after the last send at the latest."
    )


def _ends(told: Mapping[str, Any]) -> Iterator[str]:
    if (fallback := told["fallback"]) is not None:
        last = f"the last good answer of the last {seconds(fallback['stale_for'])}" if fallback["stale_for"] else None
        ways = [last, "what a function returns" if fallback["call"] else None, "a value" if fallback["value"] else None]
        yield f"When it fails for good the caller gets {', else '.join(one for one in ways if one)}."
    if told["stages"]:
        yield f"Stages asked before each attempt: {', '.join(told['stages'])}."
    rows = told["timeline"]
    if rows and (ends := [one["ends_by"] for one in rows if one["always_fits"]]) and ends[-1] is not None:
        last = seconds(ends[-1])
        yield f"When every attempt takes all of its time, {len(ends)} are made and the last ends after {last}."
