"""One socket of a stream, from the first connection to the end.

Sans-IO: `start`, `opened`, `frame`, `lost`, `resynced`, `tick` and `stop` report what happened at an instant
and return the steps to do; `wake_at` says when to tick next. It never raises for anything that came.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

from ..._core.policy.codes import Category
from . import timers as watch
from .connection import Link
from .dialect import Arg, Kind, Message
from .request import Request
from .state import State, own
from .steps import Answer, Shut, Step, Tell
from .stream_failure import StreamFailure, failed
from .venue_errors import Refusals

__all__ = ["Session", "State"]

_FIRST = 1.0  # seconds between two fetches of what was missed, at least


class Session(Refusals):
    """A socket under supervision. Belongs to one event loop."""

    # --- what the user wants --------------------------------------------------------------------------

    def start(self, now: float) -> list[Step]:
        """Begin to connect; one that has ended begins anew."""
        if self.over is None:
            return []
        self.over, self.retry_at = None, now
        self.refused.clear()
        return self.tick(now)

    def stop(self) -> list[Step]:
        """End it: every connection is closed."""
        if self.over in (State.CLOSED, State.GIVEN_UP):
            return []
        return [*self.end(State.CLOSED), self.notice("close")]

    def subscribe(self, args: Mapping[Hashable, Arg], now: float) -> list[Step]:
        """Want these subscriptions, by id; those wanted already stay as they are."""
        for one, arg in args.items():
            self.wanted.setdefault(one, arg)
            self.gone.discard(one)
        return self.onward(now)

    def unsubscribe(self, ids: list[Hashable], now: float) -> list[Step]:
        """Want these no more."""
        for one in ids:
            if self.wanted.pop(one, None) is not None:
                self.gone.add(one)
        return self.onward(now)

    def ask(self, request: Request, now: float) -> list[Step] | None:
        """Send a request if the socket is logged in; None: it is not."""
        link = self.active
        if link is None or not link.ready:
            return None
        link.ask(request)
        return self.onward(now)

    def withdraw(self, request: Request, now: float) -> list[Step]:
        """Nobody waits for this request any more; if it has left its connection is cut, so that it ends here."""
        link = next((one for one in self.links.values() if one.requests.get(request.id) is request), None)
        if link is None:
            return []
        del link.requests[request.id]
        if not request.sent:
            return []
        steps = self.lose(link, own("no_answer"), now, told={"during": "request"}) + self.onward(now)
        return [replace(step, hard=True) if isinstance(step, Shut) else step for step in steps]

    # --- what happened --------------------------------------------------------------------------------

    def tick(self, now: float) -> list[Step]:
        """Do what it is time for."""
        return watch.tick(self, now)

    def wake_at(self) -> float:
        """Return the instant of the next `tick`; inf when nothing is waited for."""
        return watch.wake_at(self)

    def lost(self, number: int, error: Any, now: float) -> list[Step]:
        """A connection was lost, or could not be made."""
        link = self.links.get(number)
        return [] if link is None else self.lose(link, error, now) + self.onward(now)

    def holding(self, number: int, held: bool, now: float) -> None:
        """The reader of a connection waits for a slow consumer, or goes on."""
        if number in self.links:
            self.links[number].pulse.hold(held, now)

    def resynced(self, number: int, now: float) -> list[Step]:
        """The venue's clock was measured, or could not be."""
        link = self.links.get(number)
        if link is None:
            return []
        link.login(self.stamp(), now)
        return self.onward(now)

    def frame(self, number: int, text: str | bytes, now: float) -> list[Step]:
        """A frame came."""
        link = self.links.get(number)
        if link is None:
            return []
        link.pulse.heard(now)
        try:
            message = self.dialect.read(text)
        except Exception as error:  # whatever a dialect makes of rubbish: the frame cannot be read
            failure = self.attempts.noted(own("malformed_frame"))
            caused = type(error).__name__
            return [self.exception(failure, "drops the frame and goes on", during="read", caused_by=caused)]
        request = link.requests.pop(message.request, None) if message.request is not None else None
        if request is not None:
            return self._answered(request, link, message, now)
        steps = _READ[message.kind](self, link, message, now)
        if message.kind is Kind.DATA and all(isinstance(step, Tell) and step.event == "update" for step in steps):
            return steps if link.live_at is not None else steps + self.onward(now)
        return steps + self.tick(now)

    def _answered(self, request: Request, link: Link, message: Message, now: float) -> list[Step]:
        """An answer goes to who waits for it; what the code of a refusal asks of the socket is done as well.

        Listeners are told of a refusal only where it ends the connection: that is theirs too.
        """
        steps = self.error(link, message, now, awaited=True) if message.kind is Kind.ERROR else []
        if link.number in self.links:
            steps = [one for one in steps if not (isinstance(one, Tell) and one.event == "exception")]
        return [Answer(request, message), *steps, *self.tick(now)]

    # --- what a frame means ---------------------------------------------------------------------------

    def pong(self, link: Link, _message: Message, _now: float) -> list[Step]:
        """A pong came."""
        link.pulse.ponged()
        return []

    def other(self, _link: Link, message: Message, _now: float) -> list[Step]:
        """An answer came."""
        return [Tell("response", message.body, message.request)]

    def logged_in(self, link: Link, message: Message, _now: float) -> list[Step]:
        """A login was accepted."""
        link.ready, link.login_at, link.excused = True, None, False
        self.refused.clear()
        return [Tell("response", message.body), self.notice("authenticated", link.number)]

    def acked(self, link: Link, message: Message, _now: float) -> list[Step]:
        """A subscription was taken, or given up."""
        sub = link.subs.get(message.id)
        if sub is not None and message.op == "unsubscribe":
            if sub.state == "leaving":
                link.forget([message.id])
        elif sub is not None and sub.state == "asked":
            sub.state = "live"
        return [Tell("response", message.body), *self.named(link)]

    def update(self, link: Link, message: Message, now: float) -> list[Step]:
        """An update came."""
        if message.id in self.gone:
            return []
        sub = link.subs.get(message.id)
        if sub is not None and sub.state == "asked":
            sub.state = "live"  # an update before the ack proves as much
        if self.echo is not None and not self.echo.fresh(message, link.number):
            return []
        verdict = self.sequence.judge(message)
        if verdict == "gap":
            link.renew([message.id], now)
            failure = self.attempts.noted(own("sequence_gap"))
            arg = self.wanted.get(message.id)
            return [self.exception(failure, "subscribes to it anew", during="read", arg=arg)]
        return [Tell("update", message.body, message.id)] if verdict == "next" else []

    def unfetched(self, error: BaseException, attempt: int) -> StreamFailure:
        """Judge a fetch of what was missed that failed; its `wait_for` says when to try again, None never."""
        failure = self.attempts.classify(error)
        helped = failure.category is Category.RETRYABLE
        delay = max(self.attempts.longest(attempt, _FIRST), failure.retry_after or 0.0) if helped else None
        doing = f"asks again in {delay:.3g} s" if delay is not None else "goes on without what was missed"
        caused = type(error).__name__
        told = {"during": "fetch_missed", "doing": doing, "socket": self.name, "caused_by": caused}
        return failed(failure, wait_for=delay, **told)


_READ: dict[Kind, Callable[[Session, Link, Message, float], list[Step]]] = {
    Kind.DATA: Session.update,
    Kind.ACK: Session.acked,
    Kind.LOGIN: Session.logged_in,
    Kind.PONG: Session.pong,
    Kind.ERROR: Session.error,
    Kind.TRADE: Session.other,
    Kind.OTHER: Session.other,
}
