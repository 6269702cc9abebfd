"""One connection: where it stands, what is subscribed on it, and what may be sent on it now.

Sans-IO. The law of this file: each wanted subscription is asked for at most once at a time on a
connection, and no limit of the venue is exceeded by what `flow` sends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from ..._core.call.plan import PermitOrGeneration
from ..._core.policy.stream_limits import MessageRate, StreamSettings
from ..._core.stages.rate_window import RateWindow
from .dialect import Arg, Dialect, batched
from .heartbeat import Heartbeat
from .request import Request
from .steps import Answer, Send, Step

__all__ = ["Link", "Sub", "Wanted", "gauge_of"]

Wanted = dict[Hashable, Arg]
"""The subscriptions that a user wants, in the order in which they were asked for."""


def gauge_of(pace: MessageRate) -> RateWindow:
    """Return an exact sliding window for a pace."""
    return RateWindow(pace.burst, pace.span)


@dataclass(slots=True)
class Sub:
    """A subscription on one connection: asked for, live, or being given up."""

    arg: Arg
    state: str
    at: float


class Link:
    """One connection and its subscriptions. Times are monotonic seconds.

    Attributes:
        number: of the connection, from 1.
        opened: when it opened, or None.
        ready: logged in, or there is nothing to log in to.
        login_at: when a login was sent that is not answered yet, or None.
        live_at: when everything wanted was live for the first time, or None.
        subs: subscriptions by id.
        requests: what was asked and is not answered, by id.
        bare: refusals that did not say of which subscription they speak.
        excused: what ends it has been told already.
        relogins: how often it had to log in again.
    """

    def __init__(
        self, number: int, dialect: Dialect, limits: StreamSettings, now: float, permit: PermitOrGeneration | None
    ) -> None:
        self.number, self.began, self.permit = number, now, permit
        self._dialect, self._limits = dialect, limits
        self.opened: float | None = None
        self.ready = False
        self.login_at: float | None = None
        self.live_at: float | None = None
        self.subs: dict[Hashable, Sub] = {}
        self.bare: list[Any] = []
        self.requests: dict[str, Request] = {}
        self.excused = False
        self.relogins = self.holds = self.strikes = 0
        self.pulse = Heartbeat(limits, now)
        self._frames, self._subscribes = gauge_of(limits.frames), gauge_of(limits.subscribes)
        self._outbox: deque[tuple[str, Request | None]] = deque()
        self._doubted_at = inf
        self._again: set[Hashable] = set()  # of those in `subs` alone

    @property
    def during(self) -> str:
        """What this connection is busy with."""
        if self.opened is None:
            return "connect"
        return "login" if self.login_at is not None else "subscribe" if self.waiting() else "read"

    def open(self, now: float) -> None:
        """The connection is there."""
        self.opened = now
        self.pulse = Heartbeat(self._limits, now)

    def login(self, at: float, now: float) -> None:
        """Put a login before everything else that is to be sent."""
        self.ready, self.login_at = False, now
        self._outbox.appendleft((self._dialect.login(at), None))

    def ask(self, request: Request) -> None:
        """Put a request in line."""
        self.requests[request.id] = request
        self._outbox.append((request.text, request))

    def let_go(self) -> list[Step]:
        """Give the requests up that are not answered: the connection is over."""
        steps: list[Step] = [Answer(one, None) for one in self.requests.values()]
        self.requests.clear()
        return steps

    def hold(self, now: float, until: float) -> None:
        """Send nothing before this instant; what is not answered by then was refused, and is asked for anew."""
        self._frames.hold(now, until)
        self._doubted_at = until
        for one in self.waiting():
            self.subs[one].at = until

    def forget(self, ids: Iterable[Hashable]) -> None:
        """Ask for these anew."""
        for one in ids:
            self.subs.pop(one, None)
            self._again.discard(one)

    def renew(self, ids: Iterable[Hashable], now: float) -> None:
        """Give these up and ask for them anew: the venue would take a second request alone for a duplicate."""
        for one in ids:
            sub = self.subs.get(one)
            if sub is not None and sub.state != "leaving":
                self._again.add(one)
                sub.at = now

    def waiting(self) -> list[Hashable]:
        """Return the ids that were asked for and not answered."""
        return [one for one, sub in self.subs.items() if sub.state == "asked"]

    def unasked(self, wanted: Wanted) -> list[Hashable]:
        """Return the ids that are wanted and were not asked for."""
        return [one for one in wanted if one not in self.subs]

    def settled(self, wanted: Wanted) -> bool:
        """Tell whether everything wanted is live."""
        return self.ready and all(one in self.subs and self.subs[one].state == "live" for one in wanted)

    # --- what may be sent now ---------------------------------------------------------------------

    def flow(self, wanted: Wanted, now: float) -> list[Step]:
        """Return the frames that may leave now: pings, then logins and requests, then subscriptions."""
        steps: list[Step] = []
        if self.opened is None:
            return steps
        if self._doubted_at <= now:
            self._doubted_at = inf
            self.renew(self.waiting(), now)
        if self.pulse.ping_at <= now and self._frames.take(now) <= now:
            self.pulse.pinged(now)
            steps.append(Send(self.number, self._dialect.ping))
        while self._due and self._spare_at(now) <= now:
            text, request = self._outbox.popleft()
            if request is None or not request.over:
                self._frames.take(now)
                steps.append(Send(self.number, text, request))
        while self.ready and not self._outbox and self._spare_at(now) <= now:
            text = self._given_up(wanted, now) or self._asked(wanted, now)
            if not text:
                break
            self._frames.take(now)
            steps.append(Send(self.number, text))
        return steps

    def flow_at(self, wanted: Wanted) -> float:
        """Return the instant at which `flow` is to be asked next."""
        if self.opened is None:
            return inf
        at = min(max(self.pulse.ping_at, self._frames.ready_at(-inf)), self._doubted_at)
        if self._due or (self.ready and self._unwanted(wanted)):
            at = min(at, self._spare_at(-inf))
        elif self.ready and self.unasked(wanted):
            at = min(at, max(self._spare_at(-inf), self._subscribes.ready_at(-inf)))
        return at

    @property
    def _due(self) -> bool:
        """Tell whether the first in line may leave: as long as no login is accepted, nothing but a login."""
        return bool(self._outbox) and (self.ready or self._outbox[0][1] is None)

    def _spare_at(self, now: float) -> float:
        """Return the instant from which a frame may leave while one is left for a ping."""
        return self._frames.ready_at(now, min(2, self._limits.frames.burst))

    def _unwanted(self, wanted: Wanted) -> list[Hashable]:
        """Return the ids that are to be given up: those that nobody wants once they are live, and those asked anew."""
        left = [one for one, sub in self.subs.items() if sub.state == "live" and one not in wanted]
        return left + [one for one in self._again if one not in left]

    def _given_up(self, wanted: Wanted, now: float) -> str:
        """Return the frame that gives up what is not wanted any more, or is asked for anew."""
        ids = self._unwanted(wanted)
        if not ids:
            return ""
        args = [self.subs[one].arg for one in ids]
        count = batched(args, self._dialect.unsubscribe, self._limits.message_bytes)
        for one in ids[:count]:
            self._again.discard(one)
            self.subs[one].state, self.subs[one].at = "leaving", now
        return self._dialect.unsubscribe(args[:count])

    def _asked(self, wanted: Wanted, now: float) -> str:
        """Return the frame that asks for what is missing."""
        ids = self.unasked(wanted)
        if not ids or self._subscribes.take(now) > now:
            return ""
        args = [wanted[one] for one in ids]
        count = batched(args, self._dialect.subscribe, self._limits.message_bytes)
        for one in ids[:count]:
            self.subs[one] = Sub(wanted[one], "asked", now)
        return self._dialect.subscribe(args[:count])
