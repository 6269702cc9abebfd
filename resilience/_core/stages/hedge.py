"""Implements the stage hedge: further attempts beside a slow first one, and the delay before each of them.

The attempts of one call share one deadline and one idempotency key. Each of them is a call with its own retries,
breaker and quota. A driver runs them beside each other (`_drivers/hedging.py`).

The delay is learned from the calls that succeeded: a percentile of the last 128 durations. It costs a list write per
call, and one sort every 16 calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

from ..._printable import printable
from ...errors import RejectedError
from ..base.routine import Invocation, Routine
from ..policy.policy import Policy
from ..policy.policy_set import OperationSettings
from ..policy.sections import HedgeSettings
from .built_in_stage import BuiltInStage, Layer, LayerInputs, StageView, Warnings
from .duration_text import format_duration

__all__ = ["HedgeDelay", "HedgeStage", "Race", "races"]

_SAMPLES = 128
_MIN_SAMPLES = 20  # a percentile of fewer calls says nothing
_SORT_EVERY = 16  # calls


class HedgeDelay:
    """The delay before a hedge of one operation. Safe across threads and tasks: a lost sample changes little.

    Attributes:
        rules: the settings.
    """

    __slots__ = ("_learned", "_next", "_recent", "rules")

    def __init__(self, rules: HedgeSettings) -> None:
        self.rules = rules
        self._next = count().__next__  # atomic: two threads never write the same sample
        self._recent: list[float] = []
        self._learned: float | None = None

    def add(self, seconds: float) -> None:
        """Learn from the duration of a call that succeeded."""
        number = self._next()
        if len(self._recent) < _SAMPLES:
            self._recent.append(seconds)
        else:
            self._recent[number % _SAMPLES] = seconds
        due = number % _SORT_EVERY == _SORT_EVERY - 1 and number >= _MIN_SAMPLES - 1
        if due and self.rules.percentile is not None:
            durations = sorted(self._recent)
            # The nearest-rank percentile: the smallest duration that at least this share of the calls is within.
            self._learned = durations[min(len(durations) - 1, int(self.rules.percentile * len(durations)))]

    @property
    def delay(self) -> float:
        """Return the seconds after which a second attempt is started: the learned delay, else the fixed one."""
        return self.rules.delay if self._learned is None else self._learned


class Race:
    """The hedges of one call: whether another one may start, and after which delay. Used by one thread or task.

    Attributes:
        attempts: how many have started.
        delay: seconds until the next attempt starts.
        is_late: returns whether the call's deadline has passed; set by the driver when the race begins.
    """

    __slots__ = ("_plan", "_remaining", "attempts", "delay", "is_late")

    def __init__(self, plan: Any, hedge_delay: HedgeDelay) -> None:
        self._plan = plan
        self._remaining = hedge_delay.rules.max_hedges
        self.attempts = 1
        self.delay = hedge_delay.delay
        self.is_late: Callable[[], bool] = bool

    def start_hedge(self) -> bool:
        """Return whether one more attempt starts now, and count it; the budget counts it as a retry."""
        budget, now, hold = self._plan.budget, self._plan.clock.monotonic(), self._plan.hold
        # It would not be sent.
        held = hold.current and (hold.ready_at(now) > now or self._plan.gate.isolation() is not None)
        late = self.is_late()  # the delay has ended late: the machine slept, or the process was stopped
        if self._remaining <= 0 or held or late or (budget is not None and not budget.withdraw(now)):
            self._remaining = 0
            return False
        self._remaining -= 1
        self.attempts += 1
        self._plan.emit("hedge_started", wait_for=self.delay)
        return True

    @property
    def has_more(self) -> bool:
        """Whether another attempt may still start."""
        return self._remaining > 0


def races(plan: Any, *, asynchronous: bool) -> bool:
    """Return whether the calls of an operation are hedged: no writes, and sync ones only where threads are allowed."""
    settings = plan.policy.hedge
    may_race = settings is not None and (asynchronous or settings.threads)
    return bool(may_race and plan.idempotent and not plan.info.send_once)


def _count(plan: Any, outcome: str, started: float) -> None:
    """Count a race; what its attempts did is counted apart."""
    plan.call_counts.add(outcome, by_attempt=False)
    now = plan.clock.monotonic()
    plan.call_counts.add_duration(outcome, now - started, now)


def _outcome_of(plan: Any, result: Any, error: BaseException | None) -> str | None:
    """Return how a race has ended for the counts; None for an exception that steers the program."""
    if error is None:
        return "failed" if plan.inspect_result(result) is not None else "ok"
    if not isinstance(error, Exception):
        return "cancelled"
    if plan.control_flow.includes(error):
        return None
    return "rejected" if isinstance(error, RejectedError) else "failed"


class HedgeStage(BuiltInStage):
    """Further attempts of an idempotent call that is slow."""

    name = "hedge"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return the delay and the number of further attempts."""
        rules = view.policy.hedge
        if rules is None:
            return {"hedge": None}
        return {"hedge": {"delay": rules.delay, "percentile": rules.percentile, "max_hedges": rules.max_hedges}}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield when another attempt is sent."""
        if (hedge := described["hedge"]) is not None:
            delay = format_duration(hedge["delay"])
            times = "once more" if hedge["max_hedges"] == 1 else f"up to {hedge['max_hedges']} more times"
            yield f"An idempotent call without an answer after {delay} is sent {times}."

    def warnings(self, policy: Policy) -> Warnings:
        """Yield a delay that the first attempt never reaches."""
        rules = policy.hedge
        limits = [limit for limit in (policy.attempt_timeout, policy.deadline) if limit is not None]
        if rules is not None and limits and rules.delay >= min(limits):
            message = f"no second attempt is ever started: the first one ends after {min(limits):g}s at the latest"
            yield ("attempt_timeout", "deadline", "hedge.delay"), f"{message}, before the delay of {rules.delay:g}s"

    def operation_warnings(self, policy: Policy, operations: Sequence[OperationSettings]) -> Warnings:
        """Yield a hedge whose policy has an entry for writes, which are never sent beside each other."""
        writes = [entry.match for entry in operations if entry.is_write or entry.key is not None]
        if policy.hedge is not None and writes:
            yield ("hedge",), f"a hedge is never sent for a write, such as {printable(writes[0])}"

    def layer(self, inputs: LayerInputs) -> Layer | None:
        """Return the race; None for writes, and for sync functions where threads are not allowed."""
        plan, settings = inputs.plan, inputs.plan.policy.hedge
        if settings is None or not races(plan, asynchronous=inputs.asynchronous):
            return None
        hedge_delay: HedgeDelay = inputs.memory().setdefault("pace", HedgeDelay(settings))
        hedge_delay.rules = settings  # a reload may have changed them

        def hedged(send: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Routine[Any]:
            if plan.keys is not None:
                _, args, kwargs = plan.keys.fill(args, kwargs)  # one key for the whole race
            started = plan.clock.monotonic()
            race, attempt = Race(plan, hedge_delay), partial(send, *args, **kwargs)
            try:
                result, error = yield Invocation(inputs.race, (plan, race, attempt))
            except BaseException:
                _count(plan, "cancelled", started)
                raise
            outcome = _outcome_of(plan, result, error)
            if outcome is not None:
                _count(plan, outcome, started)
            if error is None:
                duration = plan.clock.monotonic() - started
                hedge_delay.add(duration)
                if outcome == "ok":
                    plan.emit_success(duration, race.attempts, args, kwargs)
                return result
            try:
                raise error
            finally:
                error = None  # the error's traceback holds this frame: without this they would be a cycle

        return hedged
