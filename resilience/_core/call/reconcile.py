"""Decides about an uncertain write: look it up, wait, send it again, report it as done or as unknown.

A state machine without I/O. It gets when each attempt was sent and how it ended, and what each lookup returned. Its
guarantee: "not found" is believed only past the fence of every open attempt, either by the server's own time of that
very answer, or after the whole monotonic fence where the server's time is not known.

W is the window in which the server accepts a stamp, P the longest time that it may work on a request after it checked
the stamp, L the longest time that an accepted order may stay invisible. By the server's clock, a request with stamp s
is executed at s + W + P at the latest, and visible at s + W + P + L. A stamp may be W ahead of the server's clock when
it is sent. So where no server time is known, the fence is 2 W + P + L after the last send.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import isfinite
from typing import Any

from ..policy.sections import ReconcileSettings

__all__ = [
    "NOT_FOUND",
    "Fence",
    "Found",
    "InconclusiveLookupError",
    "LookupVerdict",
    "NotFound",
    "UncertainWrite",
    "answer_error",
]

_SKEW = 1.0  # seconds that a server's creation time may be before the first stamp
_LONG_AGO = 30 * 86400.0  # seconds since another process began a write: as far as a clock is checked
_MAX_SECONDS = 1e11  # the year 5138 in seconds, 1973 in milliseconds
_TICK = 0.001  # servers give milliseconds: one more is surely past
_MAX_LOOKUP_WAIT = 5.0  # seconds between two lookups that fail


@dataclass(frozen=True, slots=True)
class Found:
    """The write happened.

    Attributes:
        value: the result in the shape that the write returns.
        created_at: the server's creation time, Unix seconds, or None when the answer has none.
        matches: False when the fields found are not those of this call: the key belongs to another order.
        server_time: the server's time of this answer, Unix seconds, or None.
    """

    value: Any
    created_at: float | None = None
    matches: bool = True
    server_time: float | None = None


@dataclass(frozen=True, slots=True)
class NotFound:
    """The server does not know the key at `server_time` (Unix seconds, its own clock), or at an unknown time.

    Use the instance `NOT_FOUND`, or `NOT_FOUND(server_time=…)` where the answer has the time.
    """

    server_time: float | None = None

    def __call__(self, server_time: float | None = None) -> NotFound:
        """Return the same answer with the server's time of it."""
        return NotFound(server_time)


NOT_FOUND = NotFound()
"""The server does not know the key. Call it to add the server's time."""


class InconclusiveLookupError(Exception):
    """A lookup got an answer that says neither "found" nor "not found": the write is looked up again."""


def answer_error(answer: object) -> TypeError | None:
    """Return what is wrong with a reconciler's answer, or None: milliseconds would be past every fence."""
    if not isinstance(answer, (Found, NotFound)):
        return TypeError(f"reconcile must return Found(...) or NOT_FOUND, not {type(answer).__name__}")
    times = (answer.server_time, answer.created_at if isinstance(answer, Found) else None)
    if all(time is None or (isinstance(time, (int, float)) and abs(time) < _MAX_SECONDS) for time in times):
        return None
    return TypeError("reconcile must return server_time and created_at as Unix seconds")


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
    """What a lookup proves."""

    DONE = "the write happened"
    CLEAR = "it did not happen and cannot any more"
    FOREIGN = "the key belongs to another order"
    AGAIN = "nothing yet"


class UncertainWrite:
    """The open attempts of one write: those that may have been executed. Used by one call, in one thread or task.

    Attributes:
        was_uncertain: some attempt was open at some time.
    """

    __slots__ = (
        "_answered",
        "_began",
        "_failed_lookups",
        "_fence",
        "_first_stamp",
        "_latest_stamp",
        "_limits",
        "_lookups",
        "_rules",
        "_sent",
        "was_uncertain",
    )

    def __init__(self, rules: ReconcileSettings, fence: Fence, first_stamp: float, began: float | None = None) -> None:
        """Begin without an open attempt.

        Args:
            rules: the policy's section `reconcile`.
            fence: the API's bounds.
            first_stamp: stamp of the first attempt, Unix seconds by the client's clock.
            began: when the first attempt began, monotonic seconds; None when another process began it.
        """
        self._rules = rules
        self._fence = fence
        self._first_stamp = self._latest_stamp = first_stamp
        self._began = began
        # One entry per open attempt: the server's time after which it cannot appear any more, None if unknown.
        self._limits: list[float | None] = []
        self._sent = 0.0
        self._lookups = 0
        self._failed_lookups = 0
        self._answered: tuple[float, float] | None = None  # (server's time, monotonic instant) of the last answer
        self.was_uncertain = False

    @property
    def is_open(self) -> bool:
        """Return whether some attempt may have been executed, or still may be."""
        return bool(self._limits)

    @property
    def whole(self) -> float:
        """Return the monotonic fence in seconds: the policy's own, else 2 W + P + L."""
        return self._fence.whole if self._rules.fence is None else self._rules.fence

    def attempt_opened(self, *, sent: float, stamp: float | None, answered_at: float | None) -> None:
        """Record an attempt that may have been executed.

        Args:
            sent: when it was sent, monotonic seconds.
            stamp: the stamp that was signed, Unix seconds, or None when none is known.
            answered_at: the server's time in an answer of the API's own envelope. The request had arrived by then, so
                W is not part of the fence.
        """
        fence = self._fence
        late = fence.processing + fence.lag
        signed_at = self._first_stamp if stamp is None else stamp
        if answered_at is not None and abs(answered_at - signed_at) <= fence.window + late + self._since_begin(sent):
            self._limits.append(answered_at + late)  # server time + P + L
        else:  # no time, or one that no server can send which checks its stamps
            # stamp + W + P + L
            self._limits.append(None if stamp is None else stamp + fence.window + late)
        self._latest_stamp = max(self._latest_stamp, signed_at)
        self._sent = max(self._sent, sent)
        self._lookups = self._failed_lookups = 0  # the early lookups begin again after every send
        self.was_uncertain = True

    def next_lookup(self, now: float) -> float:
        """Return the monotonic instant of the next lookup: the early ones, then at the fence."""
        wait = self._rules.wait
        if self._failed_lookups:
            # wait x 2 ** (failures - 1), at most five seconds; the exponent is bounded so that no float overflows
            return now + min(wait * 2.0 ** min(self._failed_lookups - 1, 16), _MAX_LOOKUP_WAIT)
        if self._lookups < self._rules.early_checks:
            return now + wait
        return max(self._fence_ends(), now + _TICK)

    def lookup_failed(self) -> None:
        """Record that a lookup failed or was rejected: it proves nothing."""
        self._failed_lookups += 1

    def judge(self, answer: Found | NotFound, *, sent: float, now: float) -> LookupVerdict:
        """Return what an answer proves to a lookup that was sent and came back at these monotonic times."""
        self._lookups += 1
        self._failed_lookups = 0
        server_time = self._plausible(answer.server_time, now)
        if isinstance(answer, Found):
            too_old = answer.created_at is not None and answer.created_at < self._earliest_creation(server_time, now)
            return LookupVerdict.DONE if answer.matches and not too_old else LookupVerdict.FOREIGN
        if server_time is not None:
            self._answered = (server_time, now)
        if not self._is_past_fence(server_time, sent):
            return LookupVerdict.AGAIN
        self._limits.clear()
        return LookupVerdict.CLEAR

    def _fence_ends(self) -> float:
        """Return the monotonic instant at which "not found" will be believed."""
        limits = [limit for limit in self._limits if limit is not None]
        if self._answered is None or len(limits) < len(self._limits):
            return self._sent + self.whole
        server_time, answered = self._answered
        return answered + max(limits) - server_time + _TICK

    def _is_past_fence(self, server_time: float | None, sent: float) -> bool:
        limits = [limit for limit in self._limits if limit is not None]
        if server_time is None or len(limits) < len(self._limits):
            # The lookup must have *begun* after the fence: its answer may describe the moment of its arrival.
            return sent >= self._sent + self.whole
        return not limits or server_time > max(limits)

    def _earliest_creation(self, server_time: float | None, now: float) -> float:
        """Return the earliest creation time, by the server's clock, that an order of ours can have.

        The client's clock may be off by as much as the server accepts. So the first attempt is put on the server's
        clock: it began (now - began) seconds before this answer. Where the answer has no time, the stamp is used; of
        another process's stamp only the window is certain.
        """
        if self._began is None:
            return self._first_stamp - self._fence.window - _SKEW
        if server_time is None:
            return self._first_stamp - _SKEW
        return server_time - (now - self._began) - _SKEW

    def _since_begin(self, now: float) -> float:
        """Return the seconds since the first attempt began; a month where another process began it."""
        return _LONG_AGO if self._began is None else now - self._began

    def _plausible(self, server_time: float | None, now: float) -> float | None:
        """Return a server's time unless it cannot be one: in another unit, say, or a day ahead.

        A server that accepts a stamp is at most W from it. A time that is later than that, and than all the time that
        has passed since, would end a fence too early.
        """
        fence = self._fence
        latest = self._latest_stamp + fence.window + fence.processing + fence.lag + self._since_begin(now)
        return server_time if server_time is not None and isfinite(server_time) and server_time <= latest else None
