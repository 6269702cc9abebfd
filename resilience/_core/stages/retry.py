"""Implements the stage retry: when to stop and how long to wait, by tenacity's stop and wait objects.

They are called after a failure only, with a `RetryCallState` of that call alone, whose times come from the pipeline's
clock. How delays grow is in `policy/backoff.py`. This is the only module that imports tenacity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from ..policy.backoff import KINDS, bounds
from ..policy.policy import Policy
from ..policy.sections import BackoffSettings, RetrySettings
from .built_in_stage import BuiltInStage, StageView, Warnings
from .duration_text import format_duration
from .flowchart import Flowchart

if TYPE_CHECKING:
    import tenacity

__all__ = ["MAX_ROWS", "RetryStage", "Schedule", "attempts_of", "waits_of"]

MAX_ROWS = 20
"""Attempts that are listed; a policy may allow a thousand."""
_ATTEMPTS_COMPUTED = 16
_MAX_WAITS_ADDED = 200
_MAX_WAITS_DRAWN = 4  # on the arrow of the retries

Random = Callable[[], float]
"""Returns a number in [0, 1)."""


class BuiltInState:
    """What the built-in stop and wait read of a call: a `RetryCallState` takes twice the memory of a waiting call."""

    __slots__ = ("attempt_number", "idle_for", "outcome_timestamp", "start_time", "upcoming_sleep")

    def __init__(self) -> None:
        self.attempt_number = 1
        self.idle_for = self.upcoming_sleep = 0.0


class Schedule:
    """The stop and wait objects of one policy. Holds no state of a call: safe across threads and tasks.

    Those of a user are called as tenacity calls them: the wait first and then the stop, with the outcome of the
    attempt in the state for as long as that takes.
    """

    __slots__ = ("_new_state", "_of_user", "_stop", "_wait")

    def __init__(self, retry: RetrySettings, random: Random) -> None:
        import tenacity

        self._new_state: Any = tenacity.RetryCallState
        self._of_user = retry.stop is not None or retry.wait is not None
        self._stop = retry.stop or tenacity.stop_after_attempt(retry.max_attempts)
        self._wait = retry.wait or _wait(retry.backoff, random)

    def begin(self, started: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return the state of one call that began at this second: tenacity's own for stop and wait of the user's."""
        # `Retrying.iter` would do as well and costs four times as much: it builds a list of actions for each attempt.
        state: Any = self._new_state(None, None, args, kwargs) if self._of_user else BuiltInState()
        state.start_time = started
        return state

    def stops(self, state: Any, attempt: int, now: float, outcome: object) -> bool:
        """Return whether this attempt was the last.

        Raises:
            Exception: a stop or wait object of the user's raised, or returned no number of seconds.
        """
        state.attempt_number = attempt
        state.outcome_timestamp = now
        if not self._of_user:
            return bool(self._stop(state))
        from tenacity import Future

        state.outcome = Future.construct(attempt, outcome, isinstance(outcome, BaseException))
        try:
            state.upcoming_sleep = self._ask_wait(state)
            return bool(self._stop(state))
        finally:
            # The error's traceback holds frames that hold the state: a state that kept the error would be a cycle.
            state.outcome = None

    def delay(self, state: Any) -> float:
        """Return the seconds to wait before the next attempt; called after `stops`."""
        delay: float = state.upcoming_sleep if self._of_user else self._ask_wait(state)
        state.upcoming_sleep = delay
        state.idle_for += delay
        return delay

    def _ask_wait(self, state: Any) -> float:
        delay = float(self._wait(state))
        if delay != delay:
            raise ValueError("the wait object of the policy returned NaN")
        return delay


def _wait(backoff: BackoffSettings, random: Random) -> Any:
    """Return tenacity's wait object for these settings, so that users can combine it with their own."""
    from tenacity.wait import wait_base

    kind = KINDS[backoff.kind]
    draw = kind.draw
    # Of the first attempts computed once: a power takes as long as all else that the delay needs.
    longest = [kind.longest(backoff, attempt) for attempt in range(1, _ATTEMPTS_COMPUTED + 1)]

    class Backoff(wait_base):
        """Asks the policy's kind of backoff for the delay."""

        def __call__(self, retry_state: tenacity.RetryCallState) -> float:
            attempt = retry_state.attempt_number
            cap = longest[attempt - 1] if attempt <= _ATTEMPTS_COMPUTED else kind.longest(backoff, attempt)
            return draw(backoff, cap, retry_state.upcoming_sleep, random)

    return Backoff()


def attempts_of(policy: Policy) -> int | None:
    """Return how many attempts a call has at most; None where an object from Python decides."""
    retry = policy.retry
    return 1 if retry is None else retry.max_attempts if retry.stop is None else None


def waits_of(policy: Policy) -> list[tuple[float, float]]:
    """Return the shortest and the longest wait after each attempt but the last; empty where an object decides."""
    retry, attempts = policy.retry, attempts_of(policy)
    if retry is None or attempts is None or retry.wait is not None:
        return []
    return [bounds(retry.backoff, attempt) for attempt in range(1, min(attempts, MAX_ROWS + 1))]


class RetryStage(BuiltInStage):
    """Further attempts after a retryable failure."""

    name = "retry"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return the number of attempts and the waits between them."""
        waits = [{"least": low, "longest": high} for low, high in waits_of(view.policy)]
        return {"max_attempts": attempts_of(view.policy), "waits": waits}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is tried again."""
        attempts = described["max_attempts"]
        if attempts is None:
            yield "An object of the program decides how often a call is tried again."
        elif attempts < 2:
            yield "A call is not tried again."
        else:
            yield f"A retryable failure is tried again, {attempts} attempts in all; a fatal or user-fixable one is not."

    def diagram(self, described: Mapping[str, Any], chart: Flowchart) -> None:
        """Draw the way back to the checks before an attempt."""
        chart.step("again_here", "before each attempt")
        if described["max_attempts"] == 1:
            return
        limit = f" of {described['max_attempts'] or 'as many as the program allows'}"
        budget = ", budget" if described["budget"] else ""
        chart.again = chart.node("again", f"attempts{limit}{budget} and time left?", "question")
        chart.arrow("again", chart.failed, "no")
        chart.arrow("again", "again_here", _waits_drawn(described))

    def warnings(self, policy: Policy) -> Warnings:
        """Yield attempts that cannot fit into the deadline."""
        retry = policy.retry
        if retry is None:
            return
        backoff = retry.backoff
        if backoff.initial > backoff.max:
            message = f"retry.backoff.initial of {backoff.initial:g}s is above max: every wait is {backoff.max:g}s"
            yield ("retry.backoff.max", "retry.backoff.initial"), message
        yield from _ignored_settings(backoff)
        if policy.deadline is not None and retry.max_attempts > 1:
            yield from _attempts_that_do_not_fit(retry, policy.deadline, policy.attempt_timeout)


_DEFAULT = BackoffSettings()


def _ignored_settings(backoff: BackoffSettings) -> Warnings:
    """Yield settings that the kind of backoff does not read."""
    if backoff.factor != _DEFAULT.factor and backoff.kind != "exponential":
        yield ("retry.backoff.kind", "retry.backoff.factor"), f"a {backoff.kind} delay has no factor: it has no effect"
    if backoff.jitter != _DEFAULT.jitter and backoff.kind == "decorrelated":
        message = "a decorrelated delay is random by itself: jitter has no effect"
        yield ("retry.backoff.kind", "retry.backoff.jitter"), message


def _waits_drawn(described: Mapping[str, Any]) -> str:
    waits = [format_duration(wait["longest"]) for wait in described["waits"]]
    more = ", …" if len(waits) > _MAX_WAITS_DRAWN else ""
    return f"after up to {', '.join(waits[:_MAX_WAITS_DRAWN])}{more}" if waits else "yes"


def _attempts_that_do_not_fit(retry: RetrySettings, limit: float, each: float | None) -> Warnings:
    paths = ("attempt_timeout", "retry.max_attempts", "deadline")
    attempts = min(retry.max_attempts, _MAX_WAITS_ADDED)
    waits = [bounds(retry.backoff, attempt) for attempt in range(1, attempts)]
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
