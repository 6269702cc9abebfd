"""Warns about settings of one policy that cannot take effect, such as waits that never fit the deadline."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from math import floor, inf

from ..._core.call.reconcile import Fence
from ..._core.policy.backoff import bounds
from ..._core.policy.policy import Policy
from ..._core.policy.sections import BreakerSettings, QuotaSettings
from ..._core.policy.units import Calls

__all__ = ["policy_warnings"]

Warnings = Iterator[tuple[tuple[str, ...], str]]
"""The paths of settings that contradict each other, and the message."""
_MAX_WAITS = 200  # waits that are added up
_BUDGET_WINDOW = 10.0  # seconds


def policy_warnings(policy: Policy) -> Warnings:
    """Yield the warnings about a policy."""
    for check in (_attempts, _budget, _breaker, _rates, _quota, _lookups, _hedge, _admission, _codes):
        yield from check(policy)


def _attempts(policy: Policy) -> Warnings:
    retry, limit, each = policy.retry, policy.deadline, policy.attempt_timeout
    if retry is None:
        return
    backoff, attempts = retry.backoff, min(retry.max_attempts, _MAX_WAITS)
    if backoff.initial > backoff.max:
        message = f"retry.backoff.initial of {backoff.initial:g}s is above max: every wait is {backoff.max:g}s"
        yield ("retry.backoff.max", "retry.backoff.initial"), message
    if limit is None or attempts == 1:
        return
    paths = ("attempt_timeout", "retry.max_attempts", "deadline")
    waits = [bounds(backoff, attempt) for attempt in range(1, attempts)]
    shortest = list(accumulate(low for low, _ in waits))
    longest = 0.0 if each is None else retry.max_attempts * each + sum(high for _, high in waits)
    if shortest[-1] >= limit:
        number = next(index for index, total in enumerate(shortest) if total >= limit) + 2
        yield paths[1:], f"attempt {number} is never made: the waits before it take the whole deadline of {limit:g}s"
    elif each is not None and 2 * each + waits[0][0] > limit:
        message = f"one attempt of {each:g}s leaves {limit - each:g}s of the deadline of {limit:g}s"
        yield paths, f"{message}: the {retry.max_attempts} attempts cannot all fit, not even 2"
    elif each is not None and longest > limit:
        message = f"{retry.max_attempts} attempts of {each:g}s and their waits need {longest:.3g}s"
        yield paths, f"{message}: they cannot all fit the deadline of {limit:g}s"


def _budget(policy: Policy) -> Warnings:
    rules, retry = policy.budget, policy.retry
    if rules is None or retry is None or retry.max_attempts == 1:
        return
    if rules.ratio == 0 and rules.floor * _BUDGET_WINDOW < 1:
        message = f"the budget allows no retry, so max_attempts of {retry.max_attempts} has no effect"
        yield ("budget.ratio", "budget.floor", "budget"), message


def _breaker(policy: Policy) -> Warnings:
    rules, limit = policy.breaker, policy.attempt_timeout
    if rules is None:
        return
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


def _rates(policy: Policy) -> Warnings:
    """Warn about a breaker whose rates never count because the quota allows too few attempts."""
    rules = policy.breaker
    if rules is None or isinstance(rules.window, Calls) or (rules.failure_rate is None and rules.slow_rate is None):
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
    narrow = (quota.key == "operation" and rules.key != "operation") or callable(quota.key)
    return not quota.operations and not narrow and isinstance(quota.weight, int) and quota.weight > 0


def _max_attempts_in(window: float, quota: QuotaSettings) -> int:
    weight = quota.weight if isinstance(quota.weight, int) else 1
    # At most `burst` per span of burst / rate seconds; a window touches one span more than it contains.
    spans = floor(window / (quota.burst / quota.rate)) + 1
    return spans * (quota.burst // max(1, weight))


def _attempts_per_window(quota: QuotaSettings) -> float:
    """Return how many attempts a full window allows: any number of those that weigh nothing."""
    weight = quota.weight if isinstance(quota.weight, int) else 1
    return quota.burst // weight if weight > 0 else inf


def _quota(policy: Policy) -> Warnings:
    retry, limit = policy.retry, policy.deadline
    if retry is None or limit is None:
        return
    for index, quota in enumerate(policy.quota):
        span, attempts = quota.burst / quota.rate, _attempts_per_window(quota)
        if span >= limit and attempts < retry.max_attempts:
            message = (
                f"max_attempts of {retry.max_attempts} is never reached: this window allows {attempts} per {span:g}s"
            )
            yield (f"quota[{index}].rate", f"quota[{index}]"), f"{message}, and the deadline is {limit:g}s"


def _lookups(policy: Policy) -> Warnings:
    rules = policy.reconcile
    if rules is None:
        return
    default = Fence()
    window = default.window if rules.window is None else rules.window
    rest = (default.processing if rules.processing is None else rules.processing) + (
        default.lag if rules.lag is None else rules.lag
    )
    safe = 2 * window + rest  # 2 W + P + L, see docs/explanation/exactly-once.md
    if rules.fence is not None and rules.fence < safe:
        message = f"reconcile.fence of {rules.fence:g}s is shorter than 2 x window + processing + lag = {safe:g}s"
        yield ("reconcile.fence",), f"{message}: a write that is still being processed could be sent twice"
    earliest = min(window + rest, safe if rules.fence is None else rules.fence)
    if policy.deadline is not None and policy.deadline <= earliest:
        deadline = f"the deadline of {policy.deadline:g}s"
        message = f"the fence ends at least {earliest:g}s after the last send, not before {deadline}"
        end = f"a write that was not executed is reported as unknown; raise the deadline above {earliest:g}s"
        yield ("reconcile", "reconcile.window", "deadline"), f"{message}: {end}"


def _hedge(policy: Policy) -> Warnings:
    rules = policy.hedge
    limits = [limit for limit in (policy.attempt_timeout, policy.deadline) if limit is not None]
    if rules is not None and limits and rules.delay >= min(limits):
        message = f"no second attempt is ever started: the first one ends after {min(limits):g}s at the latest"
        yield ("attempt_timeout", "deadline", "hedge.delay"), f"{message}, before the delay of {rules.delay:g}s"


def _admission(policy: Policy) -> Warnings:
    rules = policy.admission
    if rules is None:
        return
    if policy.deadline is not None and rules.max_queue and rules.queue_timeout > policy.deadline:
        message = f"queue_timeout of {rules.queue_timeout:g}s is longer than the deadline of {policy.deadline:g}s"
        yield ("admission.queue_timeout", "deadline"), message
    # Calls without a lane have priority 0.
    lowest = min([0, *(lane.priority for lane in rules.lanes.values())])
    for name, lane in rules.lanes.items():
        if lane.reserve and lane.priority <= lowest:
            message = f"the lane {name!r} reserves slots, but no lane has a lower priority: the reserve has no effect"
            yield (f"admission.lanes.{name}",), message


def _codes(policy: Policy) -> Warnings:
    duplicates = {name for name in policy.codes if policy.codes.count(name) > 1}
    if duplicates:
        yield ("codes",), f"duplicate registry {', '.join(sorted(duplicates))}"
