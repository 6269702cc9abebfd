"""Replaces the methods by which ccxt sends, so that an engine prepares, records and checks each request.

What does not differ by how an exchange waits is written once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ..._core.base.context_variables import reset_variable
from ..._core.base.routine import Invocation, Routine
from ..._drivers.routine_runner import routine_function
from .answers import check_response, record_failure
from .exchange_support import PreparedRequest
from .guarded_session import guarded
from .market_loading import load_markets_async, load_markets_sync
from .requests_sent import REQUEST, SentRequest, count_as_reads
from .socket_methods import socket_methods
from .throttling import throttle_async, throttle_sync

__all__ = ["async_methods", "sync_methods"]


def sync_methods(original: Any) -> dict[str, Callable[..., Any]]:
    """Return the methods that send, for the engine of a sync exchange."""
    return {
        "load_markets": load_markets_sync(original),
        **_shared_methods(original, asynchronous=False),
        "throttle": throttle_sync(original),
    }


def async_methods(original: Any) -> dict[str, Callable[..., Any]]:
    """Return the methods that send, for the engine of an async exchange."""
    return {
        "load_markets": load_markets_async(original),
        **_shared_methods(original, asynchronous=True),
        "throttle": throttle_async(original),
        **socket_methods(original),
        "open": _open(original),
        "get_socks_proxy_session": _socks_session(original),
    }


def _shared_methods(original: Any, *, asynchronous: bool) -> dict[str, Callable[..., Any]]:
    """Return the methods that are written once for both."""

    def fetch2(
        self: Any, path: str, api: Any = "public", method: str = "GET", params: Any = None, *rest: Any, **more: Any
    ) -> Routine[Any]:
        request = PreparedRequest(method, path, {} if params is None else params, api)
        params = self._resilience.prepare(self, request)
        token = REQUEST.set(SentRequest(method, path, api))
        try:
            return (yield Invocation(original.fetch2, (self, path, api, method, params, *rest), more))
        finally:
            reset_variable(REQUEST, token)

    def fetch(self: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Routine[Any]:
        # Before it counts as sent: a stamp that cannot be stored stops it.
        yield Invocation(self._resilience.record_stamp)
        request = self._resilience.begin_request(self, url, method, headers, body)
        try:
            response = yield Invocation(original.fetch, (self, url, method, headers, body))
        except Exception as error:
            if record_failure(self._resilience, request, error):
                yield from _ask_for_time(self)
            raise
        return check_response(self._resilience, self, url, request, response)

    return {function.__name__: routine_function(function, asynchronous=asynchronous) for function in (fetch2, fetch)}


def _ask_for_time(engine: Any) -> Routine[None]:
    sent_at = time.monotonic()
    try:  # if there is no time, the caller still gets the rejection of the stamp
        with count_as_reads():
            engine._resilience.learn_time((yield Invocation(engine.fetch_time)), sent_at)
    except Exception:
        pass


def _open(original: Any) -> Callable[..., Any]:
    def open_session(self: Any, *args: Any, **kwargs: Any) -> None:
        original.open(self, *args, **kwargs)
        session = self.__dict__["session"]
        if getattr(session, "_retry_connection", False):
            session._retry_connection = False  # aiohttp would send a GET, PUT or DELETE again by itself

    return open_session


def _socks_session(original: Any) -> Callable[..., Any]:
    def get_socks_proxy_session(self: Any, *args: Any, **kwargs: Any) -> Any:
        return guarded(original.get_socks_proxy_session(self, *args, **kwargs), asynchronous=True)

    return get_socks_proxy_session
