"""A write happens exactly once: what to do while it is in doubt.

A state machine without I/O. It is told what was sent, how each attempt ended and what a look at
the server found, and answers: look, wait, send again, done, or unknown. The law it keeps: "not
found" is believed only past the fence of every open attempt, by the server's own time of that very
answer, or after the whole monotonic fence where the server's time is not known.

W is the window in which the server accepts a stamp, P the longest it may work on a request after
it checked the stamp, L the longest an accepted order may stay invisible.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Any

from ..policy.sections import ReconcileSettings

__all__ = ["NOT_FOUND", "Fence", "Found", "LookupVerdict", "NotFound", "UncertainWrite", "in_seconds"]

_SKEW = 1.0  # seconds that a server's creation time may lie before the first stamp
_LONG_AGO = 30 * 86400.0  # seconds since another process began a write, at most as far as a clock is checked
_NO_SECONDS = 1e11  # the year 5138 in seconds, 1973 in milliseconds
_TICK = 0.001  # servers tell milliseconds: one more is surely past


@dataclass(frozen=True, slots=True)
class Found:
    """The write happened.

    Attributes:
        value: the result in the shape that the write returns.
        created_at: the server's creation time, Unix seconds, or None when it tells none.
        matches: False when the fields found are not those of this call: the key belongs to somebody else.
        server_time: the server's time of this answer, Unix seconds, or None.
    """

    value: Any
    created_at: float | None = None
    matches: bool = True
    server_time: float | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The server does not know the key at `server_time` (Unix seconds, its own clock), or at an unknown time.

    Use the instance `NOT_FOUND`, or `NOT_FOUND(server_time=…)` where the answer tells the time.
    """

    server_time: float | None = None

    def __call__(self, server_time: float | None = None) -> NotFound:
        """Return the same answer with the server's time of it."""
        return NotFound(server_time)


NOT_FOUND = NotFound()
"""The server does not know the key. Call it to add the server's time."""


def in_seconds(answer: Found | NotFound) -> bool:
    """Tell whether the times of an answer are Unix seconds; milliseconds would lie past every fence."""
    times = (answer.server_time, answer.created_at if isinstance(answer, Found) else None)
    return all(one is None or (isinstance(one, (int, float)) and abs(one) < _NO_SECONDS) for one in times)


@dataclass(frozen=True, slots=True)
class Fence:
    """An API's bounds in seconds: W, P and L of the module's text."""

    window: float = 30.0
    processing: float = 3.0
    lag: float = 2.0

    @property
    def whole(self) -> float:
        """Return the monotonic wait after the last send past which "not found" is true: 2 W + P + L."""
        return 2 * self.window + self.processing + self.lag


class LookupVerdict(Enum):
    """What a look settles."""

    DONE = "the write happened"
    CLEAR = "it did not happen and cannot any more"
    FOREIGN = "the key belongs to somebody else"
    AGAIN = "nothing is settled yet"


class UncertainWrite:
    """The open attempts of one write. Used by one call, in one thread or task at a time."""

    __slots__ = (
        "_answer",
        "_begun",
        "_fence",
        "_latest",
        "_lookups",
        "_misses",
        "_open",
        "_rules",
        "_sent",
        "_started",
        "ever",
    )

    def __init__(self, rules: ReconcileSettings, fence: Fence, started: float, begun: float | None = None) -> None:
        """Begin without doubt.

        Args:
            rules: the policy's `ReconcileSettings` section.
            fence: the API's bounds.
            started: stamp of the first attempt, Unix seconds by the client's clock.
            begun: when the first attempt began, monotonic seconds; None when another process began it.
        """
        self._rules = rules
        self._fence = fence
        self._started = started
        self._begun = begun
        self._open: list[float | None] = []
        self._sent = 0.0
        self._latest = started
        self._lookups = 0
        self._misses = 0
        self._answer: tuple[float, float] | None = None
        self.ever = False

    @property
    def open(self) -> bool:
        """Tell whether some attempt may have happened, or still may."""
        return bool(self._open)

    def attempt_opened(self, *, sent: float, stamp: float | None, answered_at: float | None) -> None:
        """An attempt ended in doubt.

        Args:
            sent: when it was sent, monotonic seconds.
            stamp: the stamp that was signed, Unix seconds, or None when none is known.
            answered_at: the server's time in an answer of the API's own envelope: the request had
                arrived, so the window drops out of the fence.
        """
        fence = self._fence
        late = fence.processing + fence.lag
        signs = self._started if stamp is None else stamp
        if answered_at is not None and abs(answered_at - signs) <= fence.window + late + self._since(sent):
            self._open.append(answered_at + late)
        else:  # none was told, or one that no server says which checks its stamps
            self._open.append(None if stamp is None else stamp + fence.window + late)
        self._latest = max(self._latest, signs)
        self._sent = max(self._sent, sent)
        self._lookups = self._misses = 0
        self.ever = True

    def next_lookup(self, now: float) -> float:
        """Return the monotonic instant of the next look: the early ones, then at the fence."""
        wait = self._rules.wait
        if self._misses:
            return now + min(wait * 2.0 ** min(self._misses - 1, 16), 5.0)
        if self._lookups < self._rules.early_checks:
            return now + wait
        return max(self._fence_at(), now + _TICK)

    def _fence_at(self) -> float:
        """Return the monotonic instant at which "not found" will be believed."""
        limits = [limit for limit in self._open if limit is not None]
        if self._answer is None or len(limits) < len(self._open):
            return self._sent + self.whole
        server, seen = self._answer
        return seen + max(limits) - server + _TICK

    @property
    def whole(self) -> float:
        """Return the monotonic fence: the policy's own, else 2 W + P + L."""
        return self._fence.whole if self._rules.fence is None else self._rules.fence

    def lookup_failed(self) -> None:
        """A look failed or was refused: it says nothing, ask again."""
        self._misses += 1

    def judge(self, answer: Found | NotFound, *, sent: float, now: float) -> LookupVerdict:
        """Judge one answer to a look that was sent and came back at these monotonic times."""
        self._lookups += 1
        self._misses = 0
        server_time = self._possible(answer.server_time, now)
        if isinstance(answer, Found):
            early = answer.created_at is not None and answer.created_at < self._oldest(server_time, now)
            return LookupVerdict.DONE if answer.matches and not early else LookupVerdict.FOREIGN
        if server_time is not None:
            self._answer = (server_time, now)
        if not self._believed(server_time, sent):
            return LookupVerdict.AGAIN
        self._open.clear()
        return LookupVerdict.CLEAR

    def _oldest(self, server_time: float | None, now: float) -> float:
        """Return the earliest creation time, by the server's clock, that an order of ours can have.

        The client's clock may be off by as much as the server accepts. So the first attempt is put on
        the server's clock: it began that long before this answer. Where the answer tells no time, the
        stamp has to do; of another process's stamp only the window is sure.
        """
        if self._begun is None:
            return self._started - self._fence.window - _SKEW
        if server_time is None:
            return self._started - _SKEW
        return server_time - (now - self._begun) - _SKEW

    def _since(self, now: float) -> float:
        """Return the seconds since the first attempt began; a month where another process began it."""
        return _LONG_AGO if self._begun is None else now - self._begun

    def _possible(self, server_time: float | None, now: float) -> float | None:
        """Return a server's time unless it cannot be one: in another unit, say, or a day ahead.

        A server that accepts a stamp is at most W from it. One that is later than that, and than all the time that
        has passed since, would let a fence end too early.
        """
        fence = self._fence
        latest = self._latest + fence.window + fence.processing + fence.lag + self._since(now)
        return server_time if server_time is not None and isfinite(server_time) and server_time <= latest else None

    def _believed(self, server_time: float | None, sent: float) -> bool:
        limits = [limit for limit in self._open if limit is not None]
        if server_time is None or len(limits) < len(self._open):
            return sent >= self._sent + self.whole
        return not limits or server_time > max(limits)
