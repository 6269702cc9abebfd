"""Decides how long a first attempt has before a second one is started beside it.

The delay is learned from the calls that succeeded: a percentile of the last 128 durations. It costs a list write per
call, and one sort every 16 calls.
"""

from __future__ import annotations

from itertools import count

from ..policy.sections import HedgeSettings

__all__ = ["HedgeDelay"]

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
