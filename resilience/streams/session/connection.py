"""Keeps the state of one connection and decides which frames may be sent on it now.

Sans-IO. Guarantees: each wanted subscription has at most one request outstanding per connection, and the frames that
`next_frames` returns never exceed a limit of the venue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from math import inf
from typing import Any

from ..._core.call.gate_plan import PermitOrGeneration
from ..._core.policy.stream_limits import MessageRate, StreamSettings
from ..._core.stages.rate_window import RateWindow
from .dialect import Dialect, fitting_count
from .heartbeat import Heartbeat
from .order_book import BookChecks
from .request import SocketRequest
from .steps import DeliverAnswer, Send, Step
from .subscriptions import Subscriptions, Wanted

__all__ = ["Connection", "rate_window"]


def rate_window(rate: MessageRate) -> RateWindow:
    """Return an exact sliding window for a message rate."""
    return RateWindow(rate.burst, rate.span)


class Connection:
    """One connection of a socket. Times are monotonic seconds.

    Attributes:
        number: number of the connection, from 1.
        started_at: when it began to open.
        permit: the breaker's permit for the connection attempt.
        opened_at: when it opened, or None.
        ready: it is logged in, or needs no login.
        login_at: when the login was sent that is not answered yet, or None.
        live_at: when everything wanted was live for the first time, or None.
        subscriptions: what was requested on it.
        books: its order books, for those that are checked by a checksum.
        requests: the requests that are not answered yet, by id.
        unnamed_errors: errors of the venue that did not say which subscription they concern.
        end_reported: the reason for its end was already emitted.
        relogins: how often it had to log in again.
        holds: how often the venue asked for a pause.
        unanswered_rounds: how often a subscription was not answered in time.
    """

    def __init__(
        self, number: int, dialect: Dialect, limits: StreamSettings, now: float, permit: PermitOrGeneration | None
    ) -> None:
        self.number, self.started_at, self.permit = number, now, permit
        self._dialect, self._limits = dialect, limits
        self.opened_at: float | None = None
        self.ready = False
        self.login_at: float | None = None
        self.live_at: float | None = None
        self.subscriptions, self.books = Subscriptions(), BookChecks()
        self.unnamed_errors: list[Any] = []
        self.requests: dict[str, SocketRequest] = {}
        self.end_reported = False
        self.relogins = self.holds = self.unanswered_rounds = 0
        self.heartbeat = Heartbeat(limits, now)
        self._frame_window, self._subscribe_window = rate_window(limits.frames), rate_window(limits.subscribes)
        self._outbox: deque[tuple[str, SocketRequest | None]] = deque()
        self._hold_ends_at = inf

    @property
    def phase(self) -> str:
        """What the connection is doing: `connect`, `login`, `subscribe` or `read`."""
        if self.opened_at is None:
            return "connect"
        return "login" if self.login_at is not None else "subscribe" if self.subscriptions.unanswered() else "read"

    def open(self, now: float) -> None:
        """Record that the connection is open."""
        self.opened_at = now
        # A new heartbeat: the silence before the connection was open proves nothing.
        self.heartbeat = Heartbeat(self._limits, now)

    def login(self, at: float, now: float) -> None:
        """Queue a login before everything else; `at` is its stamp, the venue's Unix time."""
        self.ready, self.login_at = False, now
        self._outbox.appendleft((self._dialect.login(at), None))

    def enqueue(self, request: SocketRequest) -> None:
        """Queue a request."""
        self.requests[request.id] = request
        self._outbox.append((request.text, request))

    def fail_requests(self) -> list[Step]:
        """Fail the unanswered requests: the connection has ended."""
        steps: list[Step] = [DeliverAnswer(request, None) for request in self.requests.values()]
        self.requests.clear()
        return steps

    def hold(self, now: float, until: float) -> None:
        """Send nothing before `until`; subscriptions unanswered by then were rejected and are requested again."""
        self._frame_window.hold(now, until)
        self._hold_ends_at = until
        for id_ in self.subscriptions.unanswered():
            self.subscriptions.by_id[id_].since = until

    def is_live(self, wanted: Wanted) -> bool:
        """Return True if it is logged in and everything wanted is live."""
        return self.ready and self.subscriptions.all_live(wanted)

    def next_frames(self, wanted: Wanted, now: float) -> list[Step]:
        """Return the frames that may be sent now: pings, then logins and requests, then subscriptions."""
        steps: list[Step] = []
        if self.opened_at is None:
            return steps
        if self._hold_ends_at <= now:
            self._hold_ends_at = inf
            self.subscriptions.renew(self.subscriptions.unanswered(), now)
        if self.heartbeat.ping_at <= now and self._frame_window.take(now) <= now:
            self.heartbeat.record_ping(now)
            steps.append(Send(self.number, self._dialect.ping))
        return [*steps, *self._next_queued(now), *self._next_subscriptions(wanted, now)]

    def _next_queued(self, now: float) -> Iterator[Step]:
        while self._can_send_queued and self._frame_at(now) <= now:
            text, request = self._outbox.popleft()
            # A request whose caller was cancelled is skipped without using up a frame of the limit.
            if request is None or not request.done:
                self._frame_window.take(now)
                yield Send(self.number, text, request)

    def _next_subscriptions(self, wanted: Wanted, now: float) -> Iterator[Step]:
        # Unsubscribing goes first: a subscription that is renewed must be gone before it is requested again.
        while self.ready and not self._outbox and self._frame_at(now) <= now:
            text = self._unsubscribe_frame(wanted, now) or self._subscribe_frame(wanted, now)
            if not text:
                return
            self._frame_window.take(now)
            yield Send(self.number, text)

    def next_frame_at(self, wanted: Wanted) -> float:
        """Return the instant at which to call `next_frames` again."""
        if self.opened_at is None:
            return inf
        instant = min(max(self.heartbeat.ping_at, self._frame_window.ready_at(-inf)), self._hold_ends_at)
        if self._can_send_queued:
            return min(instant, self._frame_at(-inf))
        if self.ready:
            due = self.subscriptions.removal_at(wanted)
            if self.subscriptions.missing(wanted):
                due = min(due, self._subscribe_window.ready_at(-inf))
            instant = min(instant, max(self._frame_at(-inf), due))
        return instant

    @property
    def _can_send_queued(self) -> bool:
        # A queued frame without a request is a login: until one is accepted nothing else may be sent.
        return bool(self._outbox) and (self.ready or self._outbox[0][1] is None)

    def _frame_at(self, now: float) -> float:
        """Return the instant from which a frame may be sent; one frame of the limit is reserved for a ping."""
        return self._frame_window.ready_at(now, min(2, self._limits.frames.burst))

    def _unsubscribe_frame(self, wanted: Wanted, now: float) -> str:
        """Return the frame that removes what is no longer wanted or is to be requested again; else an empty string."""
        ids = self.subscriptions.to_remove(wanted, now)
        if not ids:
            return ""
        args = [self.subscriptions.by_id[id_].arg for id_ in ids]
        count = fitting_count(args, self._dialect.unsubscribe, self._limits.message_bytes)
        self.subscriptions.mark_leaving(ids[:count], now)
        return self._dialect.unsubscribe(args[:count])

    def _subscribe_frame(self, wanted: Wanted, now: float) -> str:
        """Return the frame that requests what is missing; else an empty string."""
        ids: list[Hashable] = self.subscriptions.missing(wanted)
        # `take` counts only if it returns an instant that is not in the future.
        if not ids or self._subscribe_window.take(now) > now:
            return ""
        args = [wanted[id_] for id_ in ids]
        count = fitting_count(args, self._dialect.subscribe, self._limits.message_bytes)
        self.subscriptions.mark_requested(ids[:count], wanted, now)
        return self._dialect.subscribe(args[:count])
