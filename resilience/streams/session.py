"""One socket of a stream, from the first connection to the end: what each frame means for it.

Sans-IO: `opened`, `frame`, `lost`, `resynced` and `tick` report what happened at an instant and return
the steps to do. What a venue's error asks for is its row's `action`. Every error is told exactly once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from .._core.failure import Failure
from .._core.registry import Category
from .._core.retry import bounds
from ..errors import ApiError
from .actions import ACTIONS, Do, Reaction, reaction
from .dialect import Arg, Kind, Message
from .failure import StreamFailure, failed
from .lines import Lines, State, own
from .link import Link
from .steps import Resync, Step, Tell

__all__ = ["Session", "State"]

_RELOGINS = 2  # how often one connection may be told to log in again before it is given up
_HELD = 1.0  # seconds for which nothing is sent where the policy has no backoff


class Session(Lines):
    """A socket under supervision. Belongs to one event loop."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refused: Counter[str | None] = Counter()
        self._gone: set[Hashable] = set()

    # --- what the user wants --------------------------------------------------------------------------

    def subscribe(self, args: Mapping[Hashable, Arg], now: float) -> list[Step]:
        """Want these subscriptions, by id; those wanted already stay as they are."""
        for one, arg in args.items():
            self.wanted.setdefault(one, arg)
            self._gone.discard(one)
        return self._onward(now)

    def unsubscribe(self, ids: list[Hashable], now: float) -> list[Step]:
        """Want these no more."""
        for one in ids:
            if self.wanted.pop(one, None) is not None:
                self._gone.add(one)
        return self._onward(now)

    def request(self, text: str, now: float) -> list[Step] | None:
        """Send a frame of the user's if the socket is logged in; None: nothing was sent."""
        link = self._active
        if link is None or not link.ready:
            return None
        link.send(text)
        return self._onward(now)

    @property
    def live(self) -> bool:
        """Tell whether everything wanted is live."""
        return self._active is not None and self._active.settled(self.wanted)

    def retries(self) -> Callable[[BaseException, int], tuple[float | None, StreamFailure]]:
        """Return what judges each failure of a fetch: (delay until the next, or None; what is told)."""

        def judged(error: BaseException, attempt: int) -> tuple[float | None, StreamFailure]:
            failure = self._attempts.classify(error)
            helped = failure.category is Category.RETRYABLE
            delay = max(self._attempts.longest(attempt, _HELD), failure.retry_after or 0.0) if helped else None
            doing = f"asks again in {delay:.3g} s" if delay is not None else "goes on without what was missed"
            told = {"during": "fetch_missed", "doing": doing, "socket": self.name, "wait_for": delay}
            return delay, failed(failure, caused_by=type(error).__name__, **told)

        return judged

    # --- what came ------------------------------------------------------------------------------------

    def frame(self, number: int, text: str | bytes, now: float) -> list[Step]:
        """A frame came."""
        link = self._links.get(number)
        if link is None:
            return []
        link.pulse.heard(now)
        try:
            message = self._dialect.read(text)
        except (ValueError, RecursionError) as error:
            failure = self._attempts.classify(own("malformed_frame"))
            caused = type(error).__name__
            return [self._exception(failure, "drops the frame and goes on", None, during="read", caused_by=caused)]
        return self._READ[message.kind](self, link, message, now) + self._onward(now)

    def resynced(self, number: int, now: float) -> list[Step]:
        """The venue's clock was measured, or could not be."""
        link = self._links.get(number)
        if link is None:
            return []
        link.login(self._stamp(), now)
        return self._onward(now)

    def _pong(self, link: Link, _message: Message, _now: float) -> list[Step]:
        link.pulse.ponged()
        return []

    def _other(self, _link: Link, message: Message, _now: float) -> list[Step]:
        return [Tell("response", message.body, message.request)]

    def _login(self, link: Link, message: Message, _now: float) -> list[Step]:
        link.ready, link.login_at, link.excused = True, None, False
        self._refused.clear()
        return [Tell("response", message.body), self._notice("authenticated", link.number)]

    def _ack(self, link: Link, message: Message, now: float) -> list[Step]:
        sub = link.subs.get(message.id)
        if sub is not None and message.op == "unsubscribe":
            if sub.state == "leaving":
                del link.subs[message.id]
        elif sub is not None and sub.state == "asked":
            sub.state = "live"
        return [Tell("response", message.body), *self._named(link, now)]

    def _data(self, link: Link, message: Message, now: float) -> list[Step]:
        if message.id in self._gone and message.id not in self.wanted:
            return []
        sub = link.subs.get(message.id)
        if sub is not None and sub.state == "asked":
            sub.state = "live"  # an update before the ack proves as much
        if self._echo is not None and not self._echo.fresh(message, link.number):
            return []
        verdict = self._sequence.judge(message)
        if verdict == "gap":
            link.renew([message.id])
            failure = self._attempts.classify(own("sequence_gap"))
            told = {"during": "read", "arg": self.wanted.get(message.id)}
            return [self._exception(failure, "subscribes to it anew", None, **told)]
        return [Tell("update", message.body, message.id)] if verdict == "next" else []

    # --- what was refused -----------------------------------------------------------------------------

    def _error(self, link: Link, message: Message, now: float) -> list[Step]:
        """Do what an error frame asks for, and tell it once."""
        error = ApiError(message.code, message.text, message.body)
        failure = self._attempts.classify(error)
        login = link.login_at is not None and message.id is None and message.op in ("", "login")
        found = reaction(self._attempts.action(failure), failure, login=login, subscription=message.id is not None)
        found = self._limited(link, found, failure)
        told: dict[str, Any] = {"message": message.text, "arg": self.wanted.get(message.id), "caused_by": "ApiError"}
        told["during"] = "login" if login else self._during(message, link)
        if found.do is Do.DROP and message.id is None and message.request is None and len(link.waiting()) > 1:
            link.bare.append((failure, found, told))
            return self._named(link, now)
        return self._DO[found.do](self, link, message, failure, found, told, error, now)

    def _limited(self, link: Link, found: Reaction, failure: Failure) -> Reaction:
        """Return what a repeated refusal asks for instead: once more is once."""
        if found.once:
            self._refused[failure.code] += 1
            if self._refused[failure.code] > 1:
                helped = failure.category is Category.RETRYABLE
                return ACTIONS["reconnect_relogin_resubscribe" if helped else "give_up"]
        if found.do is Do.RELOGIN:
            if not self.private:
                return ACTIONS["drop_subscription"]
            link.relogins += 1
            if link.relogins > _RELOGINS:
                return ACTIONS["reconnect_relogin_resubscribe"]
        return found

    @staticmethod
    def _during(message: Message, link: Link) -> str:
        if message.request is not None:
            return "request"
        return "subscribe" if message.id is not None or link.waiting() else "read"

    def _go_on(
        self, _link: Link, _message: Message, failure: Failure, found: Reaction, told: Any, *_: Any
    ) -> list[Step]:
        return [self._exception(failure, found.words, None, **told)]

    def _hold(
        self, link: Link, message: Message, failure: Failure, found: Reaction, told: Any, _error: Any, now: float
    ) -> list[Step]:
        link.holds += 1
        delay = failure.retry_after or self._attempts.longest(link.holds, _HELD)
        link.hold(now, now + delay)
        if link.login_at is not None:
            link.login(self._stamp(), now + delay)
        return [self._exception(failure, found.words, delay, **told)]

    def _drop(
        self, link: Link, message: Message, failure: Failure, found: Reaction, told: Any, _error: Any, now: float
    ) -> list[Step]:
        waiting = link.waiting()
        about = message.id if message.id is not None or message.request is not None else None
        if about is None and message.request is None and len(waiting) == 1:
            about = waiting[0]
        return self._dropped(link, about, failure, found, told)

    def _dropped(self, link: Link, about: Hashable, failure: Failure, found: Reaction, told: Any) -> list[Step]:
        """Give up a subscription that was refused, and tell which."""
        arg = self.wanted.pop(about, None)
        if arg is None:
            return [self._exception(failure, ACTIONS["none"].words, None, **told)]
        self._gone.add(about)
        link.subs.pop(about, None)
        words = ACTIONS["drop_subscription"].words
        return [self._exception(failure, words, None, **{**told, "arg": arg, "during": "subscribe"})]

    def _named(self, link: Link, now: float) -> list[Step]:
        """Find out of which subscriptions the refusals without a name speak: of those that are never answered."""
        waiting = link.waiting()
        if not link.bare or len(waiting) > len(link.bare):
            return []
        bare, link.bare = link.bare, []
        spoken: list[Hashable | None] = [*waiting, *[None] * (len(bare) - len(waiting))]
        steps: list[Step] = []
        for about, (failure, found, told) in zip(spoken, bare, strict=True):
            steps += self._dropped(link, about, failure, found, told)
        return steps

    def _relogin(
        self, link: Link, _message: Message, failure: Failure, found: Reaction, told: Any, _error: Any, now: float
    ) -> list[Step]:
        link.excused = True
        link.forget(link.waiting())
        if not found.once:
            link.renew(self.wanted)
        link.login(self._stamp(), now)
        return [self._exception(failure, found.words, None, **told)]

    def _resync(
        self, link: Link, _message: Message, failure: Failure, found: Reaction, told: Any, _error: Any, now: float
    ) -> list[Step]:
        link.excused, link.ready, link.login_at = True, False, now
        return [self._exception(failure, found.words, None, **told), Resync(link.number)]

    def _reconnect(
        self, link: Link, _message: Message, failure: Failure, _found: Reaction, told: Any, error: Any, now: float
    ) -> list[Step]:
        link.excused = False
        return self._lose(link, error, now, failure=failure, **told)

    def _replace(
        self, link: Link, _message: Message, failure: Failure, found: Reaction, told: Any, _error: Any, now: float
    ) -> list[Step]:
        if link is self._active and self._successor is None:
            self._renew_at = min(self._renew_at, now)
        steps: list[Step] = [self._exception(failure, found.words, None, **told)]
        return steps + self.tick(now)

    def _stop_for_good(
        self, _link: Link, _message: Message, failure: Failure, _found: Reaction, told: Any, error: Any, now: float
    ) -> list[Step]:
        self._attempts.ended(failure, error)
        return self._give_up(failure, error, now, **told)

    def _late(self, link: Link, now: float) -> list[Step]:
        """Ask again for what was not answered in time; the second time the connection is given up."""
        within = self._limits.answer_within
        for one in [one for one, sub in link.subs.items() if sub.state == "leaving" and sub.at + within <= now]:
            del link.subs[one]
        late = [one for one in link.waiting() if link.subs[one].at + within <= now]
        if not late:
            return []
        steps: list[Step] = []
        for failure, _found, told in link.bare:  # nobody can say of which they speak
            steps.append(self._exception(failure, ACTIONS["none"].words, None, **told))
        link.bare = []
        link.strikes += 1
        if link.strikes > 1:
            return steps + self._lose(link, own("no_answer"), now)
        link.forget(late)
        failure = self._attempts.classify(own("no_answer"))
        told = {"during": "subscribe", "arg": self.wanted.get(late[0]) if len(late) == 1 else None}
        return [*steps, self._exception(failure, "asks for it again", None, **told)]

    _READ = {
        Kind.DATA: _data,
        Kind.ACK: _ack,
        Kind.LOGIN: _login,
        Kind.PONG: _pong,
        Kind.ERROR: _error,
        Kind.TRADE: _other,
        Kind.OTHER: _other,
    }
    _DO = {
        Do.NOTHING: _go_on,
        Do.HOLD: _hold,
        Do.DROP: _drop,
        Do.RELOGIN: _relogin,
        Do.RESYNC: _resync,
        Do.RECONNECT: _reconnect,
        Do.REPLACE: _replace,
        Do.GIVE_UP: _stop_for_good,
    }
