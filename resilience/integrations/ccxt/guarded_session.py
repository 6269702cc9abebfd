"""Guards the HTTP sessions of ccxt: writes follow no redirect, and a connection that carried a 1xx is closed.

ccxt passes neither option, so an engine hands it this in place of the session while a request is under way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
        return _without_1xx(_without_redirects(value), self._session) if name == "request" else value


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


def _without_1xx(send: Callable[..., Any], session: Any) -> Callable[..., Any]:
    """Close the connection of a 1xx: `http.client` takes it for the answer, and the next request would get ours."""

    def guarded_send(*args: Any, **kwargs: Any) -> Any:
        # The hooks of a request replace those of its session.
        hooks = getattr(session, "hooks", None) or {}
        return send(*args, hooks={**hooks, "response": [_close_after_1xx, *hooks.get("response", ())]}, **kwargs)

    return guarded_send


def _close_after_1xx(response: Any, **_options: Any) -> None:
    # requests calls this before the body is read, which is when the connection goes back to its pool.
    if response.status_code < 200:
        response.close()
