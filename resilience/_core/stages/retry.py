"""Decides when to stop and how long to wait, by tenacity's stop and wait objects; used only after a failure.

They are called with a `RetryCallState` of that call alone, whose times come from the pipeline's clock. How delays grow
is in `policy/backoff.py`. This is the only module that imports tenacity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..policy.backoff import KINDS
from ..policy.sections import BackoffSettings, RetrySettings

if TYPE_CHECKING:
    import tenacity

__all__ = ["Schedule"]

Random = Callable[[], float]
"""Returns a number in [0, 1)."""


class Schedule:
    """The stop and wait objects of one policy. Holds no state of a call: safe across threads and tasks.

    Those of a user are called as tenacity calls them: the wait first and then the stop, with the outcome of the
    attempt in the state for as long as that takes.
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

        # `Retrying.iter` would do as well and costs four times as much: it builds a list of actions for each attempt.
        state = tenacity.RetryCallState(None, None, args, kwargs)  # type: ignore[arg-type]
        state.start_time = started
        return state

    def stops(self, state: tenacity.RetryCallState, attempt: int, now: float, outcome: object) -> bool:
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

    def delay(self, state: tenacity.RetryCallState) -> float:
        """Return the seconds to wait before the next attempt; called after `stops`."""
        delay = state.upcoming_sleep if self._of_user else self._ask_wait(state)
        state.upcoming_sleep = delay
        state.idle_for += delay
        return delay

    def _ask_wait(self, state: tenacity.RetryCallState) -> float:
        delay = float(self._wait(state))
        if delay != delay:
            raise ValueError("the wait object of the policy returned NaN")
        return delay


def _wait(backoff: BackoffSettings, random: Random) -> Any:
    """Return tenacity's wait object for these settings, so that users can combine it with their own."""
    from tenacity.wait import wait_base

    kind = KINDS[backoff.kind]

    class Backoff(wait_base):
        """Asks the policy's kind of backoff for the delay."""

        def __call__(self, retry_state: tenacity.RetryCallState) -> float:
            return kind.delay(backoff, retry_state.attempt_number, retry_state.upcoming_sleep, random)

    return Backoff()
