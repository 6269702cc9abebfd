"""What time asks of a socket: the next connection, the next ping, and the end of patience."""

from __future__ import annotations

from math import inf

from .code_actions import ACTIONS
from .connection import Link
from .connection_set import Lines
from .state import own
from .steps import Step

__all__ = ["tick", "wake_at"]


def tick(socket: Lines, now: float) -> list[Step]:
    """Do what it is time for."""
    if socket.over is not None:
        return []
    steps: list[Step] = []
    for link in list(socket.links.values()):
        if link.number not in socket.retiring:
            steps += _overdue(socket, link, now)
    for number in [number for number, at in socket.retiring.items() if at <= now]:
        steps += socket.retire(number, now)
    if socket.active is None and socket.retry_at <= now:
        steps += socket.connect(now)
    elif socket.active is not None and socket.successor is None and socket.renew_at <= now:
        steps += socket.connect(now, replacing=True)
    return steps + socket.onward(now)


def wake_at(socket: Lines) -> float:
    """Return the instant of the next `tick`; inf when nothing is waited for."""
    if socket.over is not None:
        return inf
    active = socket.active
    instants = [socket.retry_at if active is None else inf, *socket.retiring.values()]
    if active is not None and socket.successor is None:
        instants.append(socket.renew_at)
    for link in socket.links.values():
        if link.number not in socket.retiring:
            instants += [_limit_of(socket, link), link.flow_at(socket.wanted)]
    if socket.attempts.count and active is not None and active.live_at is not None:
        instants.append(active.live_at + socket.limits.steady_after)
    return min(instants)


def _overdue(socket: Lines, link: Link, now: float) -> list[Step]:
    """Find out whether a connection is overdue with something."""
    limits = socket.limits
    if link.opened is None:
        return socket.lose(link, own("not_opened"), now) if link.began + limits.open_within <= now else []
    if link.pulse.dead_at <= now:
        return socket.lose(link, own("no_pong"), now)
    if link.login_at is not None and link.login_at + limits.answer_within <= now:
        return socket.lose(link, own("no_answer"), now)
    if _renews_at(socket, link) <= now:
        socket.renew_at = min(socket.renew_at, now)
    return _unanswered(socket, link, now)


def _limit_of(socket: Lines, link: Link) -> float:
    """Return the instant at which a connection is overdue with something."""
    limits = socket.limits
    if link.opened is None:
        return link.began + limits.open_within
    login = inf if link.login_at is None else link.login_at + limits.answer_within
    asked = [sub.at + _patience(socket, link) for sub in link.subs.values() if sub.state != "live"]
    return min([link.pulse.dead_at, login, _renews_at(socket, link), *asked])


def _patience(socket: Lines, link: Link) -> float:
    """Return how long a subscription has to be answered: longer each time that one was not."""
    return float(socket.limits.answer_within * 2 ** min(link.strikes, 4))


def _renews_at(socket: Lines, link: Link) -> float:
    """Return the instant at which a successor is due because of this connection's age; inf while one is under way."""
    after = socket.limits.renew_after
    if after is None or link.opened is None or link is not socket.active:
        return inf
    return link.opened + after if socket.successor is None and socket.renew_at == inf else inf


def _unanswered(socket: Lines, link: Link, now: float) -> list[Step]:
    """Ask again for what was not answered in time, ever more slowly; where nothing is answered the connection goes."""
    within = _patience(socket, link)
    link.forget([one for one, sub in link.subs.items() if sub.state == "leaving" and sub.at + within <= now])
    late = [one for one in link.waiting() if link.subs[one].at + within <= now]
    if not late:
        return []
    bare, link.bare = link.bare, []  # nobody can say of which subscription these speak
    steps: list[Step] = [socket.exception(one.failure, ACTIONS["none"].words, **one.told) for one in bare]
    link.strikes += 1
    if link.strikes > 1 and not any(sub.state == "live" for sub in link.subs.values()):
        return steps + socket.lose(link, own("no_answer"), now)
    link.renew(late, now)
    if link.strikes > 1:
        return steps  # it was told
    arg = socket.wanted.get(late[0]) if len(late) == 1 else None
    failure = socket.attempts.noted(own("no_answer"))
    return [*steps, socket.exception(failure, "asks for it again", during="subscribe", arg=arg)]
