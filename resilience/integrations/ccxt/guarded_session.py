"""Guards the HTTP sessions of ccxt: writes follow no redirect, answers are read no longer than an attempt lasts.

The connections of requests are guarded: see `requests/connections.py`.

ccxt passes neither option, so an engine hands it this in place of the session while a request is under way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..requests.attempt import as_timeout
from ..requests.connections import guard_connections
from ..requests.sent_bytes import recording_sent_bytes
from .requests_sent import REQUEST

__all__ = ["guarded", "session_property"]

_VERBS = ("get", "post", "put", "delete", "patch", "head", "options")


class _GuardedSession:
    """A session of requests or aiohttp for a single request; everything else is the session's own."""

    __slots__ = ("_asynchronous", "_session")

    def __init__(self, session: Any, asynchronous: bool) -> None:
        self._session = session
        self._asynchronous = asynchronous

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._session, name)
        if self._asynchronous:
            return _without_redirects(value) if name in _VERBS else value
        return _bounded(_without_redirects(value), self._session) if name == "request" else value


def guarded(session: Any, *, asynchronous: bool) -> Any:
    """Return the session to send the request under way with; the session itself where none is."""
    return session if session is None or REQUEST.get() is None else _GuardedSession(session, asynchronous)


def session_property(original: Any, *, asynchronous: bool) -> property:
    """Return ccxt's attribute `session`, guarded while a request is under way."""

    def get_session(self: Any) -> Any:
        session = self.__dict__.get("session", getattr(original, "session", None))
        return guarded(session, asynchronous=asynchronous)

    def set_session(self: Any, value: Any) -> None:
        self.__dict__["session"] = value

    return property(get_session, set_session)


def _without_redirects(send: Callable[..., Any]) -> Callable[..., Any]:
    def guarded_send(*args: Any, **kwargs: Any) -> Any:
        request = REQUEST.get()
        if request is not None and request.writes:
            kwargs["allow_redirects"] = False  # the answer to a write is the one of the server that it was sent to
        return send(*args, **kwargs)

    return guarded_send


def _bounded(send: Callable[..., Any], session: Any) -> Callable[..., Any]:
    """Send by guarded connections: they skip interim answers, and stop reading when the attempt is over."""

    def guarded_send(*args: Any, **kwargs: Any) -> Any:
        for adapter in getattr(session, "adapters", {}).values():
            guard_connections(adapter)
        with recording_sent_bytes() as sent:
            try:
                return send(*args, **kwargs)
            except Exception as error:
                raise as_timeout(error, sent)  # noqa: B904  # the error itself, or one with its own cause

    return guarded_send
