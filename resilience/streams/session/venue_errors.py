"""What the venue refused: the action of the code's row is taken, and it is told exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any

from ..._core.classify.failure import Failure
from ..._core.policy.codes import Category
from ...errors import ApiError
from .code_actions import ACTIONS, Do, Reaction, reaction
from .connection import Link
from .connection_set import Lines
from .dialect import Message
from .steps import Resync, Step

__all__ = ["Refusals"]

_RELOGINS = 2  # how often one connection may be told to log in again before it is given up
_HELD = 1.0  # seconds for which nothing is sent where the backoff says less


@dataclass(slots=True)
class _Refusal:
    """One error frame, judged.

    Attributes:
        link: the connection that it came on.
        id: the subscription that it speaks of, or None.
        named: it says of what it speaks: a subscription or a request.
        failure: what its code means.
        reaction: what is done about it.
        error: it, as an error.
        told: what goes with its exception event.
    """

    link: Link
    id: Hashable
    named: bool
    failure: Failure
    reaction: Reaction
    error: ApiError
    told: dict[str, Any] = field(default_factory=dict)


class Refusals(Lines):
    """A socket that knows what to do about errors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.refused: Counter[str | None] = Counter()
        self.gone: set[Hashable] = set()

    def error(self, link: Link, message: Message, now: float, *, awaited: bool = False) -> list[Step]:
        """Do what an error frame asks for; one that somebody awaits is told by whoever asked."""
        one = self._judged(link, message)
        if message.op == "unsubscribe" and message.id is not None:
            link.forget([message.id])  # it is gone, which is what was asked for
            one.reaction = ACTIONS["none"]
        if one.reaction.do not in (Do.RECONNECT, Do.GIVE_UP) and not awaited:
            self.attempts.note(one.failure, one.error)  # those two are told by the part that lets go
        if one.reaction.do is Do.DROP and not one.named and len(link.waiting()) > 1:
            link.bare.append(one)  # one of these was refused: the acks of the others will tell which
            return self.named(link)
        return _DO[one.reaction.do](self, one, now)

    def named(self, link: Link) -> list[Step]:
        """Find out of which subscriptions the refusals without a name speak: of those that are never answered."""
        waiting = link.waiting()
        if not link.bare or len(waiting) > len(link.bare):
            return []
        bare, link.bare = link.bare, []
        spoken: list[Hashable] = [*waiting, *[None] * (len(bare) - len(waiting))]
        steps: list[Step] = []
        for about, one in zip(spoken, bare, strict=True):
            steps += _dropped(self, replace(one, id=about))
        return steps

    def _judged(self, link: Link, message: Message) -> _Refusal:
        error = ApiError(message.code, message.text, {**message.body, "code": message.code})
        failure = self.attempts.classify(error)
        named = message.id is not None or message.request is not None
        login = link.login_at is not None and not named and message.op in ("", "login")
        found = reaction(self.attempts.action(failure), failure, login=login, subscription=message.id is not None)
        during = "login" if login else "request" if message.request is not None else "read"
        if during == "read" and (message.id is not None or link.waiting()):
            during = "subscribe"
        arg = self.wanted.get(message.id)
        told = {"during": during, "message": message.text, "arg": arg, "caused_by": "ApiError"}
        return _Refusal(link, message.id, named, failure, self._limited(link, found, failure), error, told)

    def _limited(self, link: Link, found: Reaction, failure: Failure) -> Reaction:
        """Return what a repeated refusal asks for instead: once more is once."""
        if found.once:
            self.refused[failure.code] += 1
            if self.refused[failure.code] > 1:
                helped = failure.category is Category.RETRYABLE
                return ACTIONS["reconnect_relogin_resubscribe" if helped else "give_up"]
        if found.do is Do.RELOGIN and not self.private:
            return ACTIONS["drop_subscription"]
        if found.do is Do.RELOGIN and not _relogs_in(link, found):
            link.relogins += 1
            return found if link.relogins <= _RELOGINS else ACTIONS["reconnect_relogin_resubscribe"]
        return found


def _relogs_in(link: Link, found: Reaction) -> bool:
    """Tell whether a login is out already: each subscription that needs one is refused by itself."""
    return link.login_at is not None and not found.once


def _go_on(socket: Refusals, one: _Refusal, _now: float) -> list[Step]:
    return [socket.exception(one.failure, one.reaction.words, **one.told)]


def _hold(socket: Refusals, one: _Refusal, now: float) -> list[Step]:
    """Send nothing for a while, then ask again for what was not answered."""
    link = one.link
    link.holds += 1
    delay = one.failure.retry_after or socket.attempts.longest(link.holds, _HELD)
    if one.id is not None:
        link.forget([one.id])
    link.hold(now, now + delay)
    if link.login_at is not None:
        link.login(socket.stamp(), now + delay)
    return [socket.exception(one.failure, one.reaction.words, delay, **one.told)]


def _drop(socket: Refusals, one: _Refusal, _now: float) -> list[Step]:
    waiting = one.link.waiting()
    if not one.named and len(waiting) == 1:
        one.id = waiting[0]
    return _dropped(socket, one)


def _dropped(socket: Refusals, one: _Refusal) -> list[Step]:
    """Give up the subscription that was refused, and tell which; where there is none, go on."""
    arg = socket.wanted.pop(one.id, None)
    if arg is None:
        words = one.reaction.words if one.reaction is not ACTIONS["drop_subscription"] else ACTIONS["none"].words
        return [socket.exception(one.failure, words, **one.told)]
    socket.gone.add(one.id)
    one.link.forget([one.id])
    told = {**one.told, "arg": arg, "during": "subscribe"}
    return [socket.exception(one.failure, ACTIONS["drop_subscription"].words, **told)]


def _relogin(socket: Refusals, one: _Refusal, now: float) -> list[Step]:
    """Log in again, and subscribe anew to what was refused and what may be gone; further refusals change nothing."""
    link = one.link
    if one.id is not None:
        link.forget([one.id])
    if not _relogs_in(link, one.reaction):
        link.excused = True
        if not one.reaction.once:
            link.renew([name for name in link.subs if one.id is None or link.subs[name].state == "live"], now)
        link.login(socket.stamp(), now)
    return [socket.exception(one.failure, one.reaction.words, **one.told)]


def _resync(socket: Refusals, one: _Refusal, now: float) -> list[Step]:
    link = one.link
    if not socket.private:
        return _go_on(socket, one, now)
    link.excused, link.ready, link.login_at = True, False, now
    return [socket.exception(one.failure, one.reaction.words, **one.told), Resync(link.number)]


def _reconnect(socket: Refusals, one: _Refusal, now: float) -> list[Step]:
    one.link.excused = False
    return socket.lose(one.link, one.error, now, one.failure, one.told)


def _replace(socket: Refusals, one: _Refusal, now: float) -> list[Step]:
    if one.link is socket.active and socket.successor is None:
        socket.renew_at = min(socket.renew_at, now)
    return [socket.exception(one.failure, one.reaction.words, **one.told)]


def _give_up(socket: Refusals, one: _Refusal, _now: float) -> list[Step]:
    socket.attempts.ended(one.failure, one.error)
    return socket.give_up(one.failure, one.told)


_DO: dict[Do, Callable[[Refusals, _Refusal, float], list[Step]]] = {
    Do.NOTHING: _go_on,
    Do.HOLD: _hold,
    Do.DROP: _drop,
    Do.RELOGIN: _relogin,
    Do.RESYNC: _resync,
    Do.RECONNECT: _reconnect,
    Do.REPLACE: _replace,
    Do.GIVE_UP: _give_up,
}
