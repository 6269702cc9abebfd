"""What one policy says and cannot do: waits that never fit, rates that never count, limits nobody reaches."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from math import floor

from ..._core.call.reconcile import Fence
from ..._core.policy.backoff import bounds
from ..._core.policy.policy import Policy
from ..._core.policy.sections import BreakerSettings, QuotaSettings
from ..._core.policy.units import Calls

__all__ = ["unwise"]

Told = Iterator[tuple[tuple[str, ...], str]]
"""The settings that contradict each other, the first one first, and what comes of it."""
_MOST = 200  # waits that are added up
_SPAN = 10.0  # seconds of a budget's window


def unwise(one: Policy) -> Told:
    """Yield what the settings of a policy cannot do."""
    for asked in (_attempts, _budget, _breaker, _rates, _quota, _looks, _hedge, _admission, _codes):
        yield from asked(one)


def _attempts(one: Policy) -> Told:
    retry, limit, each = one.retry, one.deadline, one.attempt_timeout
    if retry is None:
        return
    backoff, most = retry.backoff, min(retry.max_attempts, _MOST)
    if backoff.initial > backoff.max:
        told = f"retry.backoff.initial of {backoff.initial:g}s is cut to max: every wait is {backoff.max:g}s"
        yield ("retry.backoff.max", "retry.backoff.initial"), told
    if limit is None or most == 1:
        return
    paths = ("attempt_timeout", "retry.max_attempts", "deadline")
    waits = [bounds(backoff, attempt) for attempt in range(1, most)]
    least = list(accumulate(low for low, _ in waits))
    whole = 0.0 if each is None else retry.max_attempts * each + sum(high for _, high in waits)
    if least[-1] >= limit:
        number = next(place for place, one in enumerate(least) if one >= limit) + 2
        yield paths[1:], f"attempt {number} is never made: the waits before it take the whole deadline of {limit:g}s"
    elif each is not None and 2 * each + waits[0][0] > limit:
        told = f"an attempt that takes its {each:g}s leaves {limit - each:g}s of the deadline of {limit:g}s"
        yield paths, f"{told}: {retry.max_attempts} attempts cannot all fit, not even two"
    elif each is not None and whole > limit:
        told = f"{retry.max_attempts} attempts of {each:g}s and their waits need {whole:.3g}s"
        yield paths, f"{told}: they cannot all fit the deadline of {limit:g}s"


def _budget(one: Policy) -> Told:
    rules, retry = one.budget, one.retry
    if rules is None or retry is None or retry.max_attempts == 1:
        return
    if rules.ratio == 0 and rules.floor * _SPAN < 1:
        told = f"the budget allows no retry at all: max_attempts of {retry.max_attempts} is never used"
        yield ("budget.ratio", "budget.floor", "budget"), told


def _breaker(one: Policy) -> Told:
    rules, limit = one.breaker, one.attempt_timeout
    if rules is None:
        return
    if rules.failure_rate is None and rules.slow_rate is None and rules.consecutive is None:
        yield ("breaker",), "nothing opens the breaker: give failure_rate, slow_rate or consecutive"
    slow = rules.slow_after if rules.slow_rate is not None else None
    if slow is not None and limit is not None and slow >= limit:
        told = f"breaker.slow_after of {slow:g}s is never seen"
        yield (
            ("attempt_timeout", "breaker.slow_after"),
            f"{told}: an attempt is cut after {limit:g}s, and has failed",
        )
    if rules.slow_after is not None and rules.slow_rate is None:
        yield ("breaker.slow_after",), "slow_after does nothing without slow_rate"
    if rules.wait and one.deadline is not None and rules.open_for >= one.deadline:
        told = f"a wait for the breaker, open for {rules.open_for:g}s, never fits the deadline of {one.deadline:g}s"
        yield ("breaker.wait", "breaker.open_for", "deadline"), told


def _rates(one: Policy) -> Told:
    """A breaker whose rates never count, because the quota lets too few attempts through."""
    rules = one.breaker
    if rules is None or isinstance(rules.window, Calls) or (rules.failure_rate is None and rules.slow_rate is None):
        return
    for place, quota in enumerate(one.quota):
        most = _most_in(rules.window, quota)
        if _as_wide(quota, rules) and most < rules.min_calls:
            told = f"at most {most} attempts pass the quota in the breaker's window of {rules.window:g}s"
            end = "its rates never count" if rules.consecutive is not None else "it can never open"
            yield (
                ("breaker.window", "breaker.min_calls", f"quota[{place}].rate"),
                f"{told}, min_calls is {rules.min_calls}: {end}",
            )
            return


def _as_wide(quota: QuotaSettings, rules: BreakerSettings) -> bool:
    """Tell whether all that a breaker sees pays this window: it is for every operation, and no narrower than it."""
    narrow = (quota.key == "operation" and rules.key != "operation") or (quota.key is not None and callable(quota.key))
    return not quota.operations and not narrow and isinstance(quota.weight, int) and quota.weight > 0


def _most_in(window: float, quota: QuotaSettings) -> int:
    weight = quota.weight if isinstance(quota.weight, int) else 1
    spans = floor(window / (quota.burst / quota.rate)) + 1
    return spans * (quota.burst // max(1, weight))


def _quota(one: Policy) -> Told:
    retry, limit = one.retry, one.deadline
    if retry is None or limit is None:
        return
    for place, quota in enumerate(one.quota):
        weight = quota.weight if isinstance(quota.weight, int) else 1
        span, room = quota.burst / quota.rate, quota.burst // max(1, weight)
        if weight and span >= limit and room < retry.max_attempts:
            told = f"max_attempts of {retry.max_attempts} is never reached: this window lets {room} pass in {span:g}s"
            yield (f"quota[{place}].rate", f"quota[{place}]"), f"{told}, and the deadline is {limit:g}s"


def _looks(one: Policy) -> Told:
    rules = one.reconcile
    if rules is None:
        return
    usual = Fence()
    window = usual.window if rules.window is None else rules.window
    rest = (usual.processing if rules.processing is None else rules.processing) + (
        usual.lag if rules.lag is None else rules.lag
    )
    whole = 2 * window + rest
    if rules.fence is not None and rules.fence < whole:
        told = f"reconcile.fence of {rules.fence:g}s is shorter than 2 x window + processing + lag = {whole:g}s"
        yield ("reconcile.fence",), f"{told}: a write that is still under way could be sent twice"
    soonest = min(window + rest, whole if rules.fence is None else rules.fence)
    if one.deadline is not None and one.deadline <= soonest:
        told = f'"not found" is believed {soonest:g}s after the last send at the earliest'
        end = f"with a deadline of {one.deadline:g}s a write that did not happen ends as unknown"
        yield ("reconcile", "reconcile.window", "deadline"), f"{told}: {end}"


def _hedge(one: Policy) -> Told:
    rules = one.hedge
    limits = [each for each in (one.attempt_timeout, one.deadline) if each is not None]
    if rules is not None and limits and rules.delay >= min(limits):
        told = f"no second attempt is ever started: the first has ended after {min(limits):g}s"
        yield ("attempt_timeout", "deadline", "hedge.delay"), f"{told}, before the delay of {rules.delay:g}s"


def _admission(one: Policy) -> Told:
    rules = one.admission
    if rules is None:
        return
    if one.deadline is not None and rules.max_queue and rules.queue_timeout > one.deadline:
        told = f"queue_timeout of {rules.queue_timeout:g}s is longer than the deadline of {one.deadline:g}s"
        yield ("admission.queue_timeout", "deadline"), told
    lowest = min([0, *(lane.priority for lane in rules.lanes.values())])
    for name, lane in rules.lanes.items():
        if lane.reserve and lane.priority <= lowest:
            told = f"the lane {name!r} reserves places and has no priority over another: the reserve does nothing"
            yield (f"admission.lanes.{name}",), told


def _codes(one: Policy) -> Told:
    twice = {name for name in one.codes if one.codes.count(name) > 1}
    if twice:
        yield ("codes",), f"{', '.join(sorted(twice))} stands here twice"
