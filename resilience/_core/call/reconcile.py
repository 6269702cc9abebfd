"""Decides about an uncertain write: look it up, wait, send it again, report it as done or as unknown.

A state machine without I/O. It gets when each attempt was sent and how it ended, and what each lookup returned. Its
guarantee: "not found" is believed only past the fence of every open attempt, either by the server's own time of that
very answer, or after the whole monotonic fence where the server's time is not known.

W is the window in which the server accepts a stamp, P the longest time that it may work on a request after it checked
the stamp, L the longest time that an accepted order may stay invisible. By the server's clock, a request with stamp s
is executed at s + W + P at the latest, and visible at s + W + P + L. A stamp may be W ahead of the server's clock when
it is sent. So where no server time is known, the fence is 2 W + P + L after the send. An attempt that was answered had
arrived by then, so W drops out, if the API itself answered or if the answer says that it refused.
"""

from __future__ import annotations

from enum import Enum
from math import inf, isfinite
from typing import NamedTuple

from ..policy.sections import ReconcileSettings
from ..stages.fence import Fence
from .lookup_answer import Found, NotFound

__all__ = ["LookupVerdict", "UncertainWrite"]

_SKEW = 1.0  # seconds that a server's creation time may be before the first stamp
_LONG_AGO = 30 * 86400.0  # seconds since another process began a write: as far as a clock is checked
_TICK = 0.001  # servers give milliseconds: one more is surely past
_MAX_LOOKUP_WAIT = 5.0  # seconds between two lookups that fail


class LookupVerdict(Enum):
    """What a lookup proves."""

    DONE = "the write happened"
    CLEAR = "it did not happen and cannot any more"
    FOREIGN = "the key belongs to another order"
    AGAIN = "nothing yet"
    FORGOTTEN = "nothing, and lookups do not know orders of that age any more"


class _OpenAttempt(NamedTuple):
    """An attempt that may have been executed, and when "not found" proves that it was not.

    Attributes:
        server_limit: the server's time after which the order cannot appear any more, or None if unknown.
        monotonic_limit: from when a lookup may begin that is believed where no server time is known.
        is_likely_refused: its answer says that it was refused, by a word that a gateway could have said as well.
    """

    server_limit: float | None
    monotonic_limit: float
    is_likely_refused: bool = False

    def is_past(self, server_time: float | None, sent: float) -> bool:
        """Return whether "not found" is proof, in an answer of this time to a lookup that was sent then."""
        if server_time is None or self.server_limit is None:
            # The lookup must have *begun* after the fence: its answer may describe the moment of its arrival.
            return sent >= self.monotonic_limit
        return server_time > self.server_limit


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
        "_lookups",
        "_open",
        "_rules",
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
        self._open: list[_OpenAttempt] = []
        self._lookups = 0
        self._failed_lookups = 0
        self._answered: tuple[float, float] | None = None  # (server's time, monotonic instant) of the last answer
        self.was_uncertain = False

    @property
    def is_open(self) -> bool:
        """Return whether some attempt may have been executed, or still may be."""
        return bool(self._open)

    @property
    def whole(self) -> float:
        """Return the monotonic fence in seconds: the policy's own, else 2 W + P + L."""
        return self._fence.whole if self._rules.fence is None else self._rules.fence

    def attempt_opened(
        self,
        *,
        sent: float,
        stamp: float | None,
        answered_at: float | None,
        is_likely_refused: bool = False,
        fence: Fence | None = None,
    ) -> None:
        """Record an attempt that may have been executed.

        Args:
            sent: when it was sent, monotonic seconds.
            stamp: the stamp that was signed, Unix seconds, or None when none is known.
            answered_at: the server's time in an answer of the API's own envelope. The request had arrived by then, so
                W is not part of the fence.
            is_likely_refused: an answer says that it was refused, by the word of HTTP or of an error's class alone. It
                came at `sent` at the latest, so W is not part of the fence either.
            fence: the bounds of this very request, where its finished form says them.
        """
        if fence is not None:
            self._fence = fence
        fence = self._fence
        late = fence.processing + fence.lag
        signed_at = self._first_stamp if stamp is None else stamp
        if answered_at is not None and abs(answered_at - signed_at) <= fence.window + late + self._since_begin(sent):
            limit: float | None = answered_at + late  # server time + P + L
        elif is_likely_refused:
            limit = None
        else:  # no time, or one that no server can send which checks its stamps
            limit = None if stamp is None else stamp + fence.window + late  # stamp + W + P + L
        wait = late if is_likely_refused else self.whole
        self._open.append(_OpenAttempt(limit, sent + wait, is_likely_refused))
        self._latest_stamp = max(self._latest_stamp, signed_at)
        self._lookups = self._failed_lookups = 0  # the early lookups begin again after every send
        self.was_uncertain = True

    def next_lookup(self, now: float) -> float:
        """Return the monotonic instant of the next lookup: the early ones, then at the fence."""
        wait = self._rules.wait
        if self._failed_lookups:
            # wait x 2 ** (failures - 1), at most five seconds; the exponent is bounded so that no float overflows
            return now + min(wait * 2.0 ** min(self._failed_lookups - 1, 16), _MAX_LOOKUP_WAIT)
        # A refusal is likely true, so an early lookup would only cost a request.
        only_refused = bool(self._open) and all(attempt.is_likely_refused for attempt in self._open)
        if self._lookups < self._rules.early_checks and not only_refused:
            return now + wait
        return max(self.fence_ends(), now + _TICK)

    def reopen(self) -> None:
        """Record that a stream has seen the order after lookups had cleared the write: only a find settles it now."""
        if not self._open:
            self._open.append(_OpenAttempt(None, inf))

    def take_over(self, earlier: UncertainWrite) -> None:
        """Take the open attempts of an earlier call with the same key: "not found" must be proof for them too."""
        self._open += earlier._open
        self._first_stamp = min(self._first_stamp, earlier._first_stamp)
        began = (self._began, earlier._began)
        self._began = None if None in began else min(one for one in began if one is not None)

    def lookup_failed(self) -> None:
        """Record that a lookup failed or was rejected: it proves nothing."""
        self._failed_lookups += 1

    def judge(self, answer: Found | NotFound, *, sent: float, now: float, age: float = 0.0) -> LookupVerdict:
        """Return what an answer proves to a lookup that was sent and came back at these monotonic times.

        Args:
            answer: what the lookup returned.
            sent: when the lookup was sent.
            now: when its answer was there.
            age: seconds since the first attempt, by the wall clock.
        """
        self._lookups += 1
        self._failed_lookups = 0
        server_time = self._plausible(answer.server_time, now)
        if isinstance(answer, Found):
            too_old = answer.created_at is not None and answer.created_at < self._earliest_creation(server_time, now)
            return LookupVerdict.DONE if answer.matches and not too_old else LookupVerdict.FOREIGN
        if server_time is not None:
            self._answered = (server_time, now)
        is_past = all(attempt.is_past(server_time, sent) for attempt in self._open)
        if not is_past:
            return LookupVerdict.AGAIN
        if age > min(self._fence.retention, answer.retention):
            return LookupVerdict.FORGOTTEN
        self._open.clear()
        return LookupVerdict.CLEAR

    def fence_ends(self) -> float:
        """Return the monotonic instant at which "not found" will be believed."""
        return max(map(self._fence_of, self._open), default=-inf)

    def _fence_of(self, attempt: _OpenAttempt) -> float:
        if self._answered is None or attempt.server_limit is None:
            return attempt.monotonic_limit
        server_time, answered = self._answered
        return answered + attempt.server_limit - server_time + _TICK

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
