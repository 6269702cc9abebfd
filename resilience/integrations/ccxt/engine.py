"""Exchanges of classes made here: what they do beside what ccxt does, at the few places where ccxt sends.

Sync and async differ in three methods, which look alike on purpose. Nothing of ccxt is imported.
What an engine has beside the original's state is its `State`.
"""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable
from typing import Any

from ..._core.call.context import current_call
from ...telemetry.redaction import redact
from .._rate_limit_headers import heard
from .requests_sent import REQUEST, Request, reading

__all__ = ["engine_class"]

_MARGIN = 0.05  # of an async attempt's time, and seconds at most, so that ccxt ends it itself and says what it did
_CLASSES: dict[type, type] = {}


def engine_class(original: type, module: Any, *, asynchronous: bool) -> type:
    """Return the class of engines for exchanges of this class; made once."""
    made = _CLASSES.get(original)
    if made is None:
        space: dict[str, Any] = {name: getattr(original, name) for name in ("__doc__", "__module__", "__qualname__")}
        space |= {"__slots__": ("_resilience",), "__del__": _stay, "timeout": _timeout(original, asynchronous)}
        space |= _shared(original) | (_async(original) if asynchronous else _sync(original))
        if module is not None:
            space |= module.methods(original, asynchronous)
        made = _CLASSES[original] = type(original.__name__, (original,), space)
    return made


def _seen(loading: asyncio.Future[Any]) -> None:
    """Take note of how a loading ended that nobody waits for any more."""
    if not loading.cancelled():
        loading.exception()


def _stay(_self: Any) -> None:
    """Close nothing: the session is the original's."""


def _spare(left: float) -> float:
    """Return the seconds by which ccxt is to be done before an async attempt is cut."""
    return min(_MARGIN, left * _MARGIN)


def _timeout(original: Any, asynchronous: bool) -> property:
    """Return ccxt's `timeout` in milliseconds: the exchange's own, or what is left of the attempt."""

    def given(self: Any) -> Any:
        own = self.__dict__.get("timeout", original.timeout)
        call = current_call()
        left = None if call is None else call.timeout
        if left is None:
            return own
        spare = _spare(left) if asynchronous else 0.0
        return max(1.0, min(own or 10_000, (left - spare) * 1000))

    def put(self: Any, value: Any) -> None:
        self.__dict__["timeout"] = value

    return property(given, put)


def _shared(original: Any) -> dict[str, Callable[..., Any]]:
    """Return the methods that are the same in both colours."""

    def sign(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = original.sign(self, *args, **kwargs)
        self._resilience.signed(request)
        return request

    def nonce(self: Any) -> Any:
        own, venue = original.nonce(self), self._resilience.venue
        return own if venue is None else venue.nonce(own)

    def handle_errors(
        self: Any, code: Any, reason: Any, url: Any, method: Any, headers: Any, body: Any, *rest: Any
    ) -> Any:
        request = REQUEST.get()
        if request is not None:
            request.status, request.headers, request.text = code, headers, body
            heard(request)
        return original.handle_errors(self, code, reason, url, method, headers, body, *rest)

    def handle_option_and_params(self: Any, params: Any, method: Any, option: str, default: Any = None) -> Any:
        value, rest = original.handle_option_and_params(self, params, method, option, default)
        if option != "maxRetriesOnFailure" or not value:
            return [value, rest]
        if not self._resilience.warned:
            self._resilience.warned = True
            told = f"ccxt would retry {value} times beneath the policy (maxRetriesOnFailure): switched off"
            warnings.warn(told, stacklevel=4)
        return [0, rest]

    def log(self: Any, *words: Any) -> None:
        original.log(self, *(redact(str(one)) for one in words))

    return {
        "sign": sign,
        "nonce": nonce,
        "handle_errors": handle_errors,
        "handle_option_and_params": handle_option_and_params,
        "log": log,
    }


def _sync(original: Any) -> dict[str, Callable[..., Any]]:
    def load_markets(self: Any, *args: Any, **kwargs: Any) -> Any:
        with reading():
            return original.load_markets(self, *args, **kwargs)

    def fetch2(
        self: Any, path: str, api: Any = "public", method: str = "GET", params: Any = None, *rest: Any, **more: Any
    ) -> Any:
        params = self._resilience.prepared(self, method, path, {} if params is None else params)
        token = REQUEST.set(Request(method, path))
        try:
            return original.fetch2(self, path, api, method, params, *rest, **more)
        finally:
            REQUEST.reset(token)

    def fetch(self: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        request = self._resilience.begins(self, url, method)
        try:
            answer = original.fetch(self, url, method, headers, body)
        except Exception as error:
            if self._resilience.failed(request, error):
                ask_the_time(self)
            raise
        return self._resilience.judged(self, url, request, answer)

    def ask_the_time(self: Any) -> None:
        began = time.monotonic()
        try:  # a time that nobody tells changes nothing: the refusal stands
            with reading():
                self._resilience.told(self.fetch_time(), began)
        except Exception:
            pass

    return {"load_markets": load_markets, "fetch2": fetch2, "fetch": fetch}


def _async(original: Any) -> dict[str, Callable[..., Any]]:
    async def load_markets(self: Any, *args: Any, **kwargs: Any) -> Any:
        with reading():  # shielded: calls share one loading, and cancelling one of them must not cancel the others
            loading = asyncio.ensure_future(original.load_markets(self, *args, **kwargs))
            loading.add_done_callback(_seen)
            return await asyncio.shield(loading)

    async def fetch2(
        self: Any, path: str, api: Any = "public", method: str = "GET", params: Any = None, *rest: Any, **more: Any
    ) -> Any:
        params = self._resilience.prepared(self, method, path, {} if params is None else params)
        token = REQUEST.set(Request(method, path))
        try:
            return await original.fetch2(self, path, api, method, params, *rest, **more)
        finally:
            REQUEST.reset(token)

    async def fetch(self: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        request = self._resilience.begins(self, url, method)
        try:
            answer = await original.fetch(self, url, method, headers, body)
        except Exception as error:
            if self._resilience.failed(request, error):
                await ask_the_time(self)
            raise
        return self._resilience.judged(self, url, request, answer)

    async def ask_the_time(self: Any) -> None:
        began = time.monotonic()
        try:  # a time that nobody tells changes nothing: the refusal stands
            with reading():
                self._resilience.told(await self.fetch_time(), began)
        except Exception:
            pass

    async def throttle(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = current_call()
        left = None if call is None else call.timeout
        try:  # a call that is cut while it queues has sent nothing, and says so
            async with asyncio.timeout(None if left is None else left - _spare(left)) as limit:
                return await original.throttle(self, *args, **kwargs)
        except TimeoutError:
            if not limit.expired():
                raise
            raise self._resilience.parts.crowded(f"{self.id} ccxt's own rate limit left no room in time") from None

    def open_session(self: Any, *args: Any, **kwargs: Any) -> None:
        original.open(self, *args, **kwargs)
        if getattr(self.session, "_retry_connection", False):
            self.session._retry_connection = False  # aiohttp would send a GET, PUT or DELETE again by itself

    return {"load_markets": load_markets, "fetch2": fetch2, "fetch": fetch, "throttle": throttle, "open": open_session}
