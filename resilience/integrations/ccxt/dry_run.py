"""Makes the engines of an exchange: one that sends, and one that stops where it would send (the dry run).

A lookup runs an uncertain write dry to learn its fields in the exchange's own words, whichever of ccxt's methods
made it. It needs the arguments alone, so it works after a restart too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..._core.base.routine import Invocation, Routine
from ..._drivers.routine_runner import run_routine, run_routine_async
from .engine import engine_class
from .engine_state import EngineState, ErrorClasses
from .exchange_support import ExchangeSupport, PreparedRequest
from .requests_sent import is_set_up_under_way
from .support_loading import load_support, methods_of, support_from
from .venue_lookup import message_name

__all__ = ["Engines"]


class Engines:
    """The two engines of an exchange, and what is known of it. A `WrappedExchange` for support modules."""

    def __init__(self, exchange: Any, errors: ErrorClasses) -> None:
        self.original = exchange
        module = load_support(exchange.id)
        self.asynchronous = inspect.iscoroutinefunction(type(exchange).fetch)
        methods = methods_of(module, exchange.id)
        sending = engine_class(type(exchange), methods, asynchronous=self.asynchronous)
        dry = _dry_class(sending, asynchronous=self.asynchronous)
        # The module gets `self` before it has an engine: it stores it, and uses the engine in its methods.
        self.support: ExchangeSupport | None = support_from(module, exchange.id, self)
        self.engine = _sharing_state(sending, exchange, self.support, errors)
        self._dry_engine = _sharing_state(dry, exchange, self.support, errors)

    def dry_run(self, call: Any) -> Any:
        """Return the request of a call without sending it; to be awaited if the exchange is async.

        Raises:
            LookupError: the call made no request in the dry run.
        """
        method = getattr(self._dry_engine, call.operation)
        routine = _dry_run(method, call)
        return run_routine_async(routine) if self.asynchronous else run_routine(routine)


def _sharing_state(engine_class: type, exchange: Any, support: ExchangeSupport | None, errors: ErrorClasses) -> Any:
    """Return an engine that shares its `__dict__` with the exchange."""
    engine: Any = object.__new__(engine_class)  # without `__init__`, which would open a session of its own
    engine.__dict__ = exchange.__dict__
    engine._resilience = EngineState(exchange, support, errors)
    return engine


class _WouldSendError(Exception):
    """A dry run got as far as sending."""

    def __init__(self, request: PreparedRequest) -> None:
        super().__init__(request.path)
        self.request = request


def _dry_class(sending: type, *, asynchronous: bool) -> type:
    """Return a class of engines that raise what they would send."""

    # ccxt sends every request through `fetch2`, which signs it. The parameters are complete before that.
    def fetch2(self: Any, path: str, api: Any, method: str, params: Any, *rest: Any, **more: Any) -> Any:
        if is_set_up_under_way():  # asking for the account, which decides what is sent
            return super(dry, self).fetch2(path, api, method, params, *rest, **more)
        request = PreparedRequest(method, path, params, api)
        raise _WouldSendError(request._replace(params=self._resilience.prepare(self, request)))

    async def fetch2_async(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await fetch2(self, *args, **kwargs)

    def watch(self: Any, url: str, message_hash: Any, message: Any = None, *rest: Any, **more: Any) -> Any:
        if is_set_up_under_way():  # a login, without which ccxt does not make the message
            return super(dry, self).watch(url, message_hash, message, *rest, **more)
        raise _WouldSendError(PreparedRequest("WS", url, message or {}, message_name(message, url)))

    methods = {"fetch2": fetch2_async, "watch": watch} if asynchronous else {"fetch2": fetch2}
    dry: Any = type(sending.__name__, (sending,), {"__slots__": (), **methods})
    return dry  # type: ignore[no-any-return]


def _dry_run(method: Callable[..., Any], call: Any) -> Routine[PreparedRequest]:
    try:
        yield Invocation(method, call.args, call.kwargs)
    except _WouldSendError as error:
        return error.request
    raise LookupError(f"{call.operation} made no request in the dry run, so it cannot be looked up")
