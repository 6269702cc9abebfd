"""When to stop and how long to wait: tenacity's stop and wait objects, asked after a failure only.

They are asked on a `RetryCallState` of that call alone, whose times are ours. Jitter is added after
the cap (added before it, every client at the cap waits exactly the cap), and growth is clamped in
the exponent, so that no number of attempts overflows. The only importer of tenacity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log
from typing import TYPE_CHECKING, Any

from ..policy.sections import BackoffSettings, RetrySettings

if TYPE_CHECKING:
    import tenacity

__all__ = ["Schedule", "bounds"]

Random = Callable[[], float]
"""Returns a number in [0, 1)."""


class Schedule:
    """The stop and wait objects of one policy. Holds no state of a call: safe across threads and tasks.

    Those of a user are asked as tenacity asks them: the wait first and then the stop, with the outcome
    of the attempt in the state for as long as that takes.
    """

    __slots__ = ("_of_user", "_stop", "_wait")

    def __init__(self, retry: RetrySettings, random: Random) -> None:
        import tenacity

        self._of_user = retry.stop is not None or retry.wait is not None
        self._stop = retry.stop or tenacity.stop_after_attempt(retry.max_attempts)
        self._wait = retry.wait or _wait(retry.backoff, random)

    def begin(self, started: float, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tenacity.RetryCallState:
        """Return the tenacity state of one call that began at this monotonic second."""
        import tenacity

        state = tenacity.RetryCallState(None, None, args, kwargs)  # type: ignore[arg-type]
        state.start_time = started
        return state

    def stops(self, state: tenacity.RetryCallState, attempt: int, now: float, outcome: object) -> bool:
        """Tell whether this attempt was the last.

        Raises:
            Exception: a stop or wait object of the user's raised, or gave no number of seconds.
        """
        state.attempt_number = attempt
        state.outcome_timestamp = now
        if not self._of_user:
            return bool(self._stop(state))
        from tenacity import Future

        state.outcome = Future.construct(attempt, outcome, isinstance(outcome, BaseException))
        try:
            state.upcoming_sleep = self._asked(state)
            return bool(self._stop(state))
        finally:
            state.outcome = None  # a state that kept the error would be a part of its traceback's cycle

    def delay(self, state: tenacity.RetryCallState) -> float:
        """Return the seconds to wait before the next attempt; asked after `stops`."""
        delay = state.upcoming_sleep if self._of_user else self._asked(state)
        state.upcoming_sleep = delay
        state.idle_for += delay
        return delay

    def _asked(self, state: tenacity.RetryCallState) -> float:
        delay = float(self._wait(state))
        if delay != delay:
            raise ValueError("the wait object of the policy returned NaN")
        return delay


def bounds(backoff: BackoffSettings, attempt: int) -> tuple[float, float]:
    """Return the least and the longest delay after this attempt, in seconds."""
    top = _top(backoff, attempt)
    if backoff.kind == "decorrelated":
        return min(backoff.initial, backoff.max), top
    return {"none": top, "equal": top / 2, "full": 0.0}[backoff.jitter], top


def _top(backoff: BackoffSettings, attempt: int) -> float:
    """Return the delay after this attempt, capped, before jitter."""
    initial, longest = backoff.initial, backoff.max
    if backoff.kind == "constant":
        return min(initial, longest)
    if backoff.kind == "linear":
        return min(initial * attempt, longest)
    factor = 3.0 if backoff.kind == "decorrelated" else backoff.factor
    steps = attempt if backoff.kind == "decorrelated" else attempt - 1
    if initial <= 0 or initial >= longest:
        return min(initial, longest)
    if log(initial) + steps * log(factor) >= log(longest):
        return longest
    return min(initial * factor**steps, longest)


def _wait(backoff: BackoffSettings, random: Random) -> Any:
    """Make tenacity's wait object for these settings."""
    from tenacity.wait import wait_base

    class Capped(wait_base):
        """The growing delay, capped, then jittered."""

        def __call__(self, retry_state: tenacity.RetryCallState) -> float:
            top = _top(backoff, retry_state.attempt_number)
            if backoff.jitter == "none":
                return top
            return top * random() if backoff.jitter == "full" else top / 2 + top / 2 * random()

    class Decorrelated(wait_base):
        """Each delay drawn between the first one and three times the last one (Brooker, AWS, 2015).

        The cap bounds the range that is drawn from: clamping what was drawn would put everybody on it.
        """

        def __call__(self, retry_state: tenacity.RetryCallState) -> float:
            low = min(backoff.initial, backoff.max)
            high = min(3 * (retry_state.upcoming_sleep or low), backoff.max)
            return low + random() * max(0.0, high - low)

    return Decorrelated() if backoff.kind == "decorrelated" else Capped()
