"""The connections of one socket: made, lost, made again, and replaced without a gap.

Sans-IO: inputs come with their instant, what is to be done goes out as steps. The law of this file: one
connection is active; a successor takes over once everything wanted is live on it, and not before,
unless the active one is lost; both may bring an update in between, which is told once.
"""

from __future__ import annotations

from math import inf
from typing import Any

from ..._core.call.failure_report import caused_by
from ..._core.classify.failure import Failure
from ..._core.policy.codes import Category
from .code_actions import ACTIONS
from .connection import Link
from .duplicate_filter import Echo
from .state import Standing, State
from .steps import Fetch, Open, Prime, Shut, Step, Tell
from .stream_failure import Gap

__all__ = ["Lines"]

_POLL = 0.1  # seconds after which a half-open breaker whose permits are out is asked again
_AGAIN = ACTIONS["reconnect_relogin_resubscribe"].words
_LATER = "keeps the old connection and tries again in {delay:.3g} s"


class Lines(Standing):
    """The connections of one socket."""

    _lost_at: float | None = None  # Unix time since which updates may be missed
    _echo_until = -inf
    _was_open = _primed = False
    _failure: Failure | None = None  # what the present outage began with
    ended: Failure | None = None
    """Why it was given up."""

    def connect(self, now: float, *, replacing: bool = False) -> list[Step]:
        """Make a connection, or find out when one may be made."""
        at = max(self.connects.ready_at(now), self.attempts.ready_at(now))
        leave, permit = self.attempts.begin(now) if at <= now else (False, None)
        if not leave:
            at = max(at, now + _POLL)
            self.retry_at, self.renew_at = (self.retry_at, at) if replacing else (at, self.renew_at)
            return []
        self.connects.take(now)
        link = Link(next(self.numbers), self.dialect, self.limits, now, permit)
        self.links[link.number] = link
        if replacing:
            self.successor, self.renew_at = link, inf
            self.echo = self.echo or Echo()
        else:
            self.active, self.retry_at = link, inf
        return [Open(link.number)]

    def opened(self, number: int, now: float) -> list[Step]:
        """A connection is there."""
        link = self.links.get(number)
        if link is None:
            return []
        link.open(now)
        steps: list[Step] = []
        if link is self.active:
            self.sequence.clear()
            steps.append(self.notice("reconnected" if self._was_open else "open", number))
            self._was_open = True
        if self.private:
            link.login(self.stamp(), now)
        else:
            link.ready = True
        return steps + self.onward(now)

    def lose(
        self, link: Link, error: Any, now: float, failure: Failure | None = None, told: dict[str, Any] | None = None
    ) -> list[Step]:
        """Let a connection go and see to the next one; `told` goes with the exception event.

        A first connect that somebody has to put right (a wrong address, a bad certificate) ends the stream;
        once there was a connection the address is right, and what refuses it now will pass.
        """
        failure = failure or self.attempts.classify(error)
        counts = failure.category is Category.RETRYABLE and failure.hint != "resync_clock"
        shut = self._shut(link, well=False if counts else None, error=error)
        if self.retiring.pop(link.number, None) is not None:
            return shut
        if link is self.active and link.live_at is not None and self._lost_at is None:
            self._lost_at = self.unix(link.pulse.heard_at)
        if link is self.active and self.successor is not None:
            return shut + self._promote()
        told = {"during": link.during, "caused_by": caused_by(error), **(told or {})}
        hopeless = failure.category is not Category.RETRYABLE and link.opened is None and not self._was_open
        delay = None if hopeless else self.attempts.failed(failure, error, now)
        if delay is None:
            self.attempts.ended(failure, error)
            return shut + self.give_up(failure, told)
        return shut + self._again(link, failure, delay, now, told)

    def _again(self, link: Link, failure: Failure, delay: float, now: float, told: dict[str, Any]) -> list[Step]:
        """Plan the next connection, in the place of the one that was lost."""
        if link is self.successor:
            self.successor, self.renew_at = None, now + delay
            return [] if link.excused else [self.exception(failure, _LATER, delay, **told)]
        self.active, self.renew_at, self.retry_at = None, inf, now + delay
        self._failure = failure
        steps: list[Step] = [] if link.excused else [self.exception(failure, _AGAIN, delay, **told)]
        return [*steps, self.notice("reconnect", link.number, delay)]

    def _promote(self) -> list[Step]:
        """Let the successor take over before it is live: the active one is lost, as was announced perhaps."""
        self.active, self.successor = self.successor, None
        assert self.active is not None
        return [] if self.active.opened is None else [self.notice("reconnected", self.active.number)]

    def retire(self, number: int, now: float) -> list[Step]:
        """Leave a connection that was taken over from; the second copy of what it brought last may be on its way."""
        self.retiring.pop(number, None)
        self._echo_until = now + self.limits.linger
        link = self.links.get(number)
        return [Shut(number)] if link is None else self._shut(link, well=None)

    def _shut(self, link: Link, *, well: bool | None, error: object = None) -> list[Step]:
        """Let a connection go, and with it what was asked on it.

        Where something was asked and not answered it is cut: what is still in the system's buffers could
        otherwise arrive minutes later, when it is taken for lost.
        """
        self.links.pop(link.number, None)
        if link.live_at is None:
            self.attempts.settle(link.permit, link.began, well=well, error=error)
        hard = any(one.sent for one in link.requests.values())
        return [Shut(link.number, hard), *link.let_go()]

    def give_up(self, failure: Failure, told: dict[str, Any]) -> list[Step]:
        """End it: somebody has to put something right first."""
        steps = self.end(State.GIVEN_UP)
        self.ended = failure
        steps.append(self.exception(failure, ACTIONS["give_up"].words, **told))
        return [*steps, self.notice("close")]

    def end(self, state: State) -> list[Step]:
        """Close every connection, and make none any more."""
        steps = [step for link in list(self.links.values()) for step in self._shut(link, well=None)]
        self.active = self.successor = self.echo = None
        self.retry_at = self.renew_at = inf
        self.retiring.clear()
        self.over = state
        return steps

    def onward(self, now: float) -> list[Step]:
        """Send what may be sent, and find out what is live now."""
        steps: list[Step] = []
        for link in list(self.links.values()):
            if link.number in self.retiring:
                continue
            if link.live_at is None and link.settled(self.wanted):
                steps += self._live(link, now)
            steps += link.flow(self.wanted, now)
        active = self.active
        if self.successor is None and not self.retiring and self._echo_until <= now:
            self.echo = None
        if active is not None and active.live_at is not None and active.live_at + self.limits.steady_after <= now:
            self.attempts.steady()
        return steps

    def _live(self, link: Link, now: float) -> list[Step]:
        """Everything wanted is live on this connection for the first time."""
        link.live_at = now
        self.attempts.settle(link.permit, link.began, well=True)
        if link is self.successor:
            return self._swap(link, now)
        if self._failure is not None:
            self.attempts.recovered(self._failure)
            self._failure = None
        since, self._lost_at = self._lost_at, None
        primed, self._primed = self._primed, True
        if not self.private:
            return []
        if since is None:
            return [] if primed else [Prime(tuple(self.wanted.values()))]
        gap = Gap(self.name, since, self.unix(now), tuple(self.wanted.values()))
        return [Tell("gap", gap), Fetch(gap)]

    def _swap(self, link: Link, now: float) -> list[Step]:
        """Let the successor take over; the old connection is read for a moment longer."""
        old, self.active, self.successor = self.active, link, None
        if old is not None:
            self.retiring[old.number] = now + self.limits.linger
        return [self.notice("reconnected", link.number)]
