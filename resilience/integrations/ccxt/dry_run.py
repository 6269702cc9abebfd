"""The engine of an exchange, and a dry one: it draws a call's request up to the point of sending.

A write in doubt is drawn again to learn its fields in the exchange's own words, whichever of ccxt's
calls made it, and after a restart too.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .engine import engine_class
from .engine_state import Parts, State
from .exchange_support import Drawn, Venue, venue_module

__all__ = ["Handle"]


class Handle:
    """The engine of an exchange, and a dry one that sends nothing."""

    def __init__(self, exchange: Any, parts: Parts) -> None:
        self.original = exchange
        module = venue_module(exchange.id)
        self.asynchronous = inspect.iscoroutinefunction(type(exchange).fetch)
        kind = engine_class(type(exchange), module, asynchronous=self.asynchronous)
        self.venue: Venue | None = None if module is None else module.venue(self)
        self.engine = _shared(kind, exchange, self.venue, parts)
        self._dry = _shared(_dry_class(kind, asynchronous=self.asynchronous), exchange, self.venue, parts)

    def draw(self, call: Any) -> Any:
        """Return the request of a call without sending it; to be awaited where the exchange is async."""
        method = getattr(self._dry, call.operation)
        return _adrawn(method, call) if self.asynchronous else _drawn(method, call)


def _shared(kind: type, exchange: Any, venue: Venue | None, parts: Parts) -> Any:
    """Return an object of this class with the very state of the exchange."""
    made: Any = object.__new__(kind)
    made.__dict__ = exchange.__dict__
    made._resilience = State(exchange, venue, parts)
    return made


class _DrawnError(Exception):
    """A dry engine got as far as sending."""

    def __init__(self, drawn: Drawn) -> None:
        super().__init__(drawn.path)
        self.drawn = drawn


def _dry_class(kind: type, *, asynchronous: bool) -> type:
    """Return a class of engines that raise what they would send."""

    def drawn(self: Any, path: str, _api: Any, method: str, params: Any, *_rest: Any, **_more: Any) -> None:
        raise _DrawnError(Drawn(method, path, self._resilience.prepared(self, method, path, params)))

    async def adrawn(self: Any, *args: Any, **kwargs: Any) -> None:
        drawn(self, *args, **kwargs)

    return type(kind.__name__, (kind,), {"__slots__": (), "fetch2": adrawn if asynchronous else drawn})


def _drawn(method: Callable[..., Any], call: Any) -> Drawn:
    try:
        method(*call.args, **call.kwargs)
    except _DrawnError as error:
        return error.drawn
    raise LookupError(f"{call.operation} sends nothing")


async def _adrawn(method: Callable[..., Any], call: Any) -> Drawn:
    try:
        await method(*call.args, **call.kwargs)
    except _DrawnError as error:
        return error.drawn
    raise LookupError(f"{call.operation} sends nothing")
