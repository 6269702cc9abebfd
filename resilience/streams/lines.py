"""The connections of one socket: made, lost, made again, and replaced without a gap.

Sans-IO: inputs come with their instant, what is to be done goes out as steps. The law of this file: one
connection is active; a successor takes over once everything wanted is live on it, and not before,
unless the active one is lost; both may bring an update in between, which is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from itertools import count
from math import inf
from typing import Any

from .._core.clock import Clock
from .._core.failure import Failure
from .._core.gauge import Gauge
from .._core.registry import Category
from .._core.stream import Limits
from .._core.verdict import caused_by
from ..errors import ApiError
from .actions import ACTIONS
from .attempts import Attempts
from .dialect import Dialect
from .echo import Echo, Sequence
from .failure import Gap, Notice, failed
from .link import Link, Wanted
from .steps import Fetch, Open, Shut, Step, Tell

__all__ = ["Lines", "State"]

_POLL = 0.1  # seconds after which a half-open breaker whose permits are out is asked again
_AGAIN = ACTIONS["reconnect_relogin_resubscribe"].words


class State(Enum):
    """Where a socket stands."""

    IDLE = "idle"
    CONNECTING = "connecting"
    AUTHENTICATING = "authenticating"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    STALE = "stale"
    WAITING = "waiting"
    GIVEN_UP = "given up"
    CLOSED = "closed"


class Lines:
    """The connections of one socket. Belongs to one event loop. Times are monotonic seconds.

    Attributes:
        name: which of the client's sockets it is, such as `public`.
        wanted: the subscriptions that the user wants, by id.
        over: how it ended, or None.
    """

    def __init__(
        self,
        name: str,
        dialect: Dialect,
        limits: Limits,
        attempts: Attempts,
        connects: Gauge,
        *,
        private: bool,
        clock: Clock,
        stamp: Callable[[], float] | None = None,
    ) -> None:
        """Begin idle.

        Args:
            name: which of the client's sockets it is.
            dialect: how the venue talks.
            limits: what the venue allows.
            attempts: the policy's backoff, budget and breaker.
            connects: the window of new connections, which all sockets of a client share.
            private: it logs in, and tells of gaps.
            clock: monotonic and Unix time; nothing here waits.
            stamp: the venue's Unix time as well as it is known.
        """
        self.name, self.private, self.wanted = name, private, Wanted()
        self.over: State | None = State.IDLE
        self._dialect, self._limits, self._attempts, self._connects = dialect, limits, attempts, connects
        self._clock, self._stamp = clock, stamp or clock.time
        self._numbers = count(1)
        self._links: dict[int, Link] = {}
        self._active: Link | None = None
        self._successor: Link | None = None
        self._retiring: dict[int, float] = {}
        self._retry_at = self._renew_at = inf
        self._lost_at: float | None = None
        self._was_open = False
        self._failure: Failure | None = None
        self._echo: Echo | None = None
        self._sequence = Sequence()

    @property
    def state(self) -> State:
        """Where the socket stands."""
        link = self._active
        if self.over is not None:
            return self.over
        if link is None:
            return State.WAITING
        if link.opened is None:
            return State.CONNECTING
        if not link.ready:
            return State.AUTHENTICATING
        if link.pulse.stale:
            return State.STALE
        return State.LIVE if link.settled(self.wanted) else State.SUBSCRIBING

    # --- inputs -------------------------------------------------------------------------------------

    def start(self, now: float) -> list[Step]:
        """Begin to connect."""
        if self.over is None:
            return []
        self.over, self._retry_at = None, now
        return self.tick(now)

    def stop(self, now: float) -> list[Step]:
        """End it: every connection is closed."""
        if self.over not in (None, State.IDLE):
            return []
        return [*self._end(State.CLOSED), self._notice("close")]

    def opened(self, number: int, now: float) -> list[Step]:
        """A connection is there."""
        link = self._links.get(number)
        if link is None:
            return []
        link.open(now)
        steps: list[Step] = []
        if link is self._active:
            self._sequence.clear()
            steps.append(self._notice("reconnected" if self._was_open else "open", number))
            self._was_open = True
        if self.private:
            link.login(self._stamp(), now)
        else:
            link.ready = True
        return steps + self._onward(now)

    def lost(self, number: int, error: Any, now: float) -> list[Step]:
        """A connection was lost, or could not be made."""
        link = self._links.get(number)
        if link is None:
            return []
        return self._lose(link, error, now) + self._onward(now)

    def holding(self, number: int, held: bool, now: float) -> None:
        """The reader of a connection waits for a slow consumer, or goes on."""
        if number in self._links:
            self._links[number].pulse.hold(held, now)

    def tick(self, now: float) -> list[Step]:
        """Do what it is time for."""
        if self.over is not None:
            return []
        steps: list[Step] = []
        for link in list(self._links.values()):
            steps += [] if link.number in self._retiring else self._check(link, now)
        for number in [number for number, at in self._retiring.items() if at <= now]:
            steps += self._retire(number)
        if self._active is None and self._retry_at <= now:
            steps += self._connect(now)
        elif self._active is not None and self._successor is None and self._renew_at <= now:
            steps += self._connect(now, replacing=True)
        return steps + self._onward(now)

    def wake_at(self) -> float:
        """Return the instant of the next `tick`; inf when nothing is waited for."""
        if self.over is not None:
            return inf
        instants = [self._retry_at if self._active is None else inf, *self._retiring.values()]
        if self._active is not None and self._successor is None:
            instants.append(self._renew_at)
        for link in self._links.values():
            if link.number not in self._retiring:
                instants += [self._limit_of(link), link.flow_at(self.wanted)]
        if self._attempts.count and self._active is not None and self._active.live_at is not None:
            instants.append(self._active.live_at + self._limits.steady_after)
        return min(instants)

    # --- connections ----------------------------------------------------------------------------------

    def _connect(self, now: float, *, replacing: bool = False) -> list[Step]:
        """Make a connection, or find out when one may be made."""
        at = max(self._connects.ready_at(now), self._attempts.ready_at(now))
        leave, ticket = self._attempts.begin(now) if at <= now else (False, None)
        if not leave:
            at = max(at, now + _POLL)
            self._retry_at, self._renew_at = (self._retry_at, at) if replacing else (at, self._renew_at)
            return []
        self._connects.take(now)
        link = Link(next(self._numbers), self._dialect, self._limits, now, ticket)
        self._links[link.number] = link
        if replacing:
            self._successor, self._renew_at = link, inf
            self._echo = self._echo or Echo()
        else:
            self._active, self._retry_at = link, inf
        return [Open(link.number)]

    def _check(self, link: Link, now: float) -> list[Step]:
        """Find out whether a connection is overdue with something."""
        limits = self._limits
        if link.opened is None:
            return self._lose(link, own("not_opened"), now) if link.began + limits.open_within <= now else []
        if link.pulse.dead_at <= now:
            return self._lose(link, own("no_pong"), now)
        if link.login_at is not None and link.login_at + limits.answer_within <= now:
            return self._lose(link, own("no_answer"), now)
        if link is self._active and self._renews_at(link) <= now:
            self._renew_at = min(self._renew_at, now)
        return self._late(link, now)

    def _late(self, link: Link, now: float) -> list[Step]:
        """See to subscriptions that are not answered; told by the part that reads frames."""
        raise NotImplementedError

    def _limit_of(self, link: Link) -> float:
        """Return the instant at which a connection is overdue with something."""
        limits = self._limits
        if link.opened is None:
            return link.began + limits.open_within
        login = inf if link.login_at is None else link.login_at + limits.answer_within
        asked = [sub.at + limits.answer_within for sub in link.subs.values() if sub.state != "live"]
        return min([link.pulse.dead_at, login, self._renews_at(link), *asked])

    def _renews_at(self, link: Link) -> float:
        after = self._limits.renew_after
        if after is None or link.opened is None or self._successor is not None or self._renew_at != inf:
            return inf
        return link.opened + after

    def _lose(self, link: Link, error: Any, now: float, *, failure: Failure | None = None, **told: Any) -> list[Step]:
        """Let a connection go and see to the next one."""
        failure = failure or self._attempts.classify(error)
        counts = failure.category is Category.RETRYABLE and failure.hint != "resync_clock"
        self._forget(link, well=False if counts else None, error=error)
        steps: list[Step] = [Shut(link.number)]
        if self._retiring.pop(link.number, None) is not None:
            return steps
        if link is self._active and link.live_at is not None and self._lost_at is None:
            self._lost_at = self._unix(link.pulse.heard_at)
        if link is self._active and self._successor is not None:
            self._active, self._successor = self._successor, None  # the end was announced, or came at a good moment
            return steps if self._active.opened is None else [*steps, self._notice("reconnected", self._active.number)]
        replacing = link is self._successor
        if replacing:
            self._successor = None
        else:
            self._active, self._renew_at = None, inf
        delay = self._attempts.failed(failure, error, now)
        if delay is None:
            return steps + self._give_up(failure, error, now, **told)
        if replacing:
            self._renew_at = now + delay
        else:
            self._retry_at, self._failure = now + delay, failure
        if not link.excused:
            told = {"during": link.during, "caused_by": caused_by(error), **told}
            words = "keeps the old connection and tries again in {delay:.3g} s" if replacing else _AGAIN
            steps.append(self._exception(failure, words, delay, **told))
        return steps if replacing else [*steps, self._notice("reconnect", link.number, delay)]

    def _retire(self, number: int) -> list[Step]:
        """Leave a connection that was replaced."""
        self._retiring.pop(number, None)
        link = self._links.get(number)
        if link is not None:
            self._forget(link, well=None)
        return [Shut(number)]

    def _forget(self, link: Link, *, well: bool | None, error: object = None) -> None:
        self._links.pop(link.number, None)
        if link.live_at is None:
            self._attempts.settle(link.ticket, link.began, well=well, error=error)

    def _give_up(self, failure: Failure, error: Any, now: float, **told: Any) -> list[Step]:
        """End it: somebody has to put something right first."""
        steps = self._end(State.GIVEN_UP)
        told = {"caused_by": caused_by(error), **told}
        steps.append(self._exception(failure, ACTIONS["give_up"].words, None, **told))
        return [*steps, self._notice("close")]

    def _end(self, state: State) -> list[Step]:
        steps: list[Step] = [Shut(number) for number in self._links]
        for link in list(self._links.values()):
            self._forget(link, well=None)
        self._active = self._successor = self._echo = None
        self._retry_at = self._renew_at = inf
        self._retiring.clear()
        self.over = state
        return steps

    # --- once things are as they should be --------------------------------------------------------------

    def _onward(self, now: float) -> list[Step]:
        """Send what may be sent, and find out what is live now."""
        steps: list[Step] = []
        for link in list(self._links.values()):
            if link.number in self._retiring:
                continue
            if link.live_at is None and link.settled(self.wanted):
                steps += self._live(link, now)
            steps += link.flow(self.wanted, now)
        active = self._active
        if self._successor is None and not self._retiring:
            self._echo = None
        if active is not None and active.live_at is not None and active.live_at + self._limits.steady_after <= now:
            self._attempts.steady()
        return steps

    def _live(self, link: Link, now: float) -> list[Step]:
        """Everything wanted is live on this connection for the first time."""
        link.live_at = now
        self._attempts.settle(link.ticket, link.began, well=True)
        if link is self._successor:
            return self._swap(link, now)
        if link is not self._active:
            return []
        if self._failure is not None:
            self._attempts.recovered(self._failure)
            self._failure = None
        since, self._lost_at = self._lost_at, None
        if since is None or not self.private:
            return []
        gap = Gap(self.name, since, self._unix(now), tuple(self.wanted.values()))
        return [Tell("gap", gap), Fetch(gap)]

    def _swap(self, link: Link, now: float) -> list[Step]:
        """Let the successor take over; the old connection is read for a moment longer."""
        old, self._active, self._successor = self._active, link, None
        if old is not None:
            self._retiring[old.number] = now + self._limits.linger
        return [self._notice("reconnected", link.number)]

    # --- telling --------------------------------------------------------------------------------------

    def _unix(self, instant: float) -> float:
        return self._clock.time() - (self._clock.monotonic() - instant)

    def _notice(self, event: str, number: int = 0, delay: float | None = None) -> Tell:
        return Tell(event, Notice(event, self.name, number, self._clock.time(), delay))

    def _exception(self, failure: Failure, words: str, delay: float | None, **told: Any) -> Tell:
        doing = words.format(delay=delay or 0.0)
        action = self._attempts.action(failure)
        made = failed(failure, doing=doing, action=action, socket=self.name, wait_for=delay, **told)
        return Tell("exception", replace(made, attempts=max(1, self._attempts.count)))


def own(code: str, body: Mapping[str, Any] | None = None) -> ApiError:
    """Return the error of a code of the `streams` table."""
    return ApiError(code, "", {"code": code, **(body or {})})
