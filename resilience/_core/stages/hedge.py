"""When a second attempt is started beside a slow first one, and what usual is.

The usual is learned from the calls that went well: a percentile of the last ones. It costs a list
write a call; the percentile is worked out anew after every few.
"""

from __future__ import annotations

from itertools import count

from ..policy.sections import HedgeSettings

__all__ = ["HedgeDelay"]

_KEPT = 128
_ENOUGH = 20  # fewer calls than this say nothing of a percentile
_EVERY = 16  # calls between two looks


class HedgeDelay:
    """How long calls of one operation take. Safe across threads and tasks: a lost sample changes little."""

    __slots__ = ("_known", "_next", "_recent", "rules")

    def __init__(self, rules: HedgeSettings) -> None:
        self.rules = rules
        self._next = count().__next__
        self._recent: list[float] = []
        self._known: float | None = None

    def add(self, seconds: float) -> None:
        """Learn from a call that went well."""
        number = self._next()
        if len(self._recent) < _KEPT:
            self._recent.append(seconds)
        else:
            self._recent[number % _KEPT] = seconds
        if number % _EVERY == _EVERY - 1 and self.rules.percentile is not None and number >= _ENOUGH - 1:
            usual = sorted(self._recent)
            self._known = usual[min(len(usual) - 1, int(self.rules.percentile * len(usual)))]

    @property
    def delay(self) -> float:
        """Return the seconds after which a second attempt is started: the learned ones, else the fixed ones."""
        return self.rules.delay if self._known is None else self._known
