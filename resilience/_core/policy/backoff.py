"""Defines the kinds of backoff: how the delay between two attempts grows, and its noise.

`KINDS` is the one place that lists them. The settings' annotation, the JSON schema and `stages/retry.py` read it, so a
new kind is a row of this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Literal, Protocol

__all__ = ["KINDS", "BackoffKind", "BackoffKindName", "BackoffNumbers", "bounds"]


class BackoffNumbers(Protocol):
    """What a kind reads of the section `backoff`. Delays are seconds."""

    @property
    def kind(self) -> str:
        """Return the name of the kind."""

    @property
    def initial(self) -> float:
        """Return the delay before the first retry."""

    @property
    def factor(self) -> float:
        """Return the growth of an exponential delay."""

    @property
    def max(self) -> float:
        """Return the longest delay, before jitter."""

    @property
    def jitter(self) -> str:
        """Return `none`, `full` (from 0 up to the delay) or `equal` (from half of it)."""


Random = Callable[[], float]
"""Returns a number in [0, 1)."""


def _jittered_shortest(backoff: BackoffNumbers, longest: float) -> float:
    return {"none": longest, "equal": longest / 2, "full": 0.0}[backoff.jitter]


def _jittered(backoff: BackoffNumbers, longest: float, _previous: float, random: Random) -> float:
    """Return the delay with its noise.

    Jitter is applied after the cap. Applied before it, every client that has reached the cap would wait exactly the
    cap, and all would come back at the same moment.
    """
    if backoff.jitter == "none":
        return longest
    return longest * random() if backoff.jitter == "full" else longest / 2 + longest / 2 * random()


def _first_delay(backoff: BackoffNumbers, _longest: float) -> float:
    return min(backoff.initial, backoff.max)


def _decorrelated(backoff: BackoffNumbers, _longest: float, previous: float, random: Random) -> float:
    """Draw the delay between the first one and three times the previous one; no further jitter.

    "Decorrelated jitter" of Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015:
    sleep = min(cap, random_between(base, sleep * 3)). Here the cap bounds the range that is drawn from: clamping what
    was drawn would put every client on the cap.
    """
    low = min(backoff.initial, backoff.max)
    high = min(3 * (previous or low), backoff.max)
    return low + random() * max(0.0, high - low)


@dataclass(frozen=True, slots=True)
class BackoffKind:
    """One way in which delays grow. Holds no state of a call: safe across threads and tasks.

    Attributes:
        longest: (settings, attempt) -> the longest delay after this attempt: capped, before jitter.
        shortest: (settings, longest) -> the shortest delay where the longest is this.
        draw: (settings, longest, previous, random) -> the delay; `previous` is the delay before the attempt that
            failed, 0 where there was none.
    """

    longest: Callable[[BackoffNumbers, int], float]
    shortest: Callable[[BackoffNumbers, float], float] = _jittered_shortest
    draw: Callable[[BackoffNumbers, float, float, Random], float] = _jittered


KINDS = {
    "constant": BackoffKind(lambda backoff, _attempt: min(backoff.initial, backoff.max)),
    "linear": BackoffKind(lambda backoff, attempt: min(backoff.initial * attempt, backoff.max)),
    "exponential": BackoffKind(lambda backoff, attempt: _power(backoff, backoff.factor, attempt - 1)),
    "decorrelated": BackoffKind(lambda backoff, attempt: _power(backoff, 3.0, attempt), _first_delay, _decorrelated),
}
"""Every kind by the name that a policy file gives it, in the order of the schema."""

if TYPE_CHECKING:
    BackoffKindName = str
else:  # mypy knows no computed `Literal`; at run time the sections and the schema read the names from it
    BackoffKindName = Literal[tuple(KINDS)]


def bounds(backoff: BackoffNumbers, attempt: int) -> tuple[float, float]:
    """Return the shortest and the longest delay after this attempt, in seconds."""
    kind = KINDS[backoff.kind]
    longest = kind.longest(backoff, attempt)
    return kind.shortest(backoff, longest), longest


def _power(backoff: BackoffNumbers, factor: float, steps: int) -> float:
    """Return initial x factor ** steps, at most `max`."""
    initial, longest = backoff.initial, backoff.max
    if initial <= 0 or initial >= longest:
        return min(initial, longest)
    # Compared as logarithms: `2.0 ** 1024` raises OverflowError, and a policy may allow a thousand attempts.
    if log(initial) + steps * log(factor) >= log(longest):
        return longest
    return min(initial * factor**steps, longest)
