"""Looks up uncertain writes of a wrapped exchange by the data of its venue, through ccxt's implicit methods."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ..._core.base.routine import Invocation, Routine
from ..._core.call.lookup_answer import Found, InconclusiveLookupError, NotFound
from ..._drivers.routine_runner import routine_function
from ...venues.known_venue import Venue, WriteSettings
from ...venues.lookup_requests import lookup_routine
from ...venues.order_lookup import look_up
from ...venues.order_rows import Same, same_fields
from ...venues.write_request import WriteRequest
from .exchange_support import WrappedExchange

__all__ = ["batch_items", "find_message", "message_name", "message_params", "venue_reconciler"]

_UNKNOWN_OUTCOME = Found(None, matches=False)
"""Ends the lookups at once: the outcome stays unknown."""


def venue_reconciler(exchange: WrappedExchange, support: Any, wrapped: Any) -> Callable[[Any], Any]:
    """Return the function that looks up an uncertain write.

    Args:
        exchange: prepares the request of a call again, without sending it.
        support: the `VenueSupport`.
        wrapped: the wrapped exchange, through which the queries are sent.
    """
    venue: Venue = support.venue

    def ask(endpoint: str, params: dict[str, Any]) -> Any:
        return getattr(wrapped, endpoint)(params)

    def reconcile(call: Any) -> Routine[Found | NotFound]:
        # Preparing a request must send nothing, so what ccxt would load on the way is loaded first.
        if not exchange.engine.markets:
            yield Invocation(wrapped.load_markets)
        request = yield Invocation(exchange.dry_run, (call,))
        write = support.write_of(request)
        params = message_params(request.params) if request.method == "WS" else request.params
        items = [] if write is None else batch_items(write, params)
        market = _market(exchange.engine, call) if request.method == "WS" and items else None
        if write is None or len(items) != 1 or not venue.orders[write.order].queries:
            if call.key is None:
                raise InconclusiveLookupError(f"{request.path} cannot be looked up")
            return _UNKNOWN_OUTCOME
        lookup = look_up(
            venue, _as_write(support.hook, write, items[0], call, market), _same(support.hook, venue, write)
        )
        answer = yield from lookup_routine(lookup, ask, venue.answer.code)
        return _as_ccxt(exchange.engine, venue, call, answer)

    return routine_function(reconcile, asynchronous=exchange.asynchronous)


def batch_items(write: WriteSettings, params: Any) -> list[Mapping[str, Any]]:
    """Return the writes in the parameters of a request: one, or those of a batch."""
    items = params if write.items in ("", ".") or not isinstance(params, Mapping) else params.get(write.items)
    listed = items if isinstance(items, list) else [items]
    return [item for item in listed if isinstance(item, Mapping)]


def message_name(message: Any, url: str) -> str | None:
    """Return the name of a message over a socket, with the path of the socket, or None."""
    name = (message.get("op") or message.get("method")) if isinstance(message, Mapping) else None
    return f"socket {name} at {urlsplit(url).path}" if name else None


def find_message(venue: Venue, name: str) -> WriteSettings | None:
    """Return what is known of a message by its name: at this socket, or wherever it is sent."""
    return venue.write(name) or venue.write(name.partition(" at ")[0])


def message_params(message: Mapping[str, Any]) -> Any:
    """Return the parameters of a message over a socket."""
    params = message.get("params", message.get("args"))
    return params[0] if isinstance(params, list) and len(params) == 1 else params


def _as_write(hook: Any, write: WriteSettings, params: Mapping[str, Any], call: Any, market: Any) -> WriteRequest:
    if market is not None and hasattr(hook, "message_params"):
        params = hook.message_params(params, market["id"])
    extra = hook.placeholders(params) if hasattr(hook, "placeholders") else {}
    return WriteRequest(write, params, call.key, call.sent_at, extra)


def _same(hook: Any, venue: Venue, write: WriteSettings) -> Same | None:
    if not hasattr(hook, "same_order"):
        return None
    table = partial(same_fields, venue.orders[write.order].compare)
    return lambda params, row: bool(hook.same_order(params, row, table))


def _as_ccxt(engine: Any, venue: Venue, call: Any, answer: Found | NotFound) -> Found | NotFound:
    """Return the answer of a lookup with the order in the form that the call itself returns.

    Raises:
        InconclusiveLookupError: ccxt cannot read the order.
    """
    if not isinstance(answer, Found):
        return answer
    row = answer.value
    # ccxt's implicit methods return the venue's envelope, and its unified methods return ccxt's own order.
    if any(call.operation.replace("_", "").lower() == name.lower() for one in venue.writes for name in one.endpoints):
        return replace(answer, value=_enveloped(venue, row))
    try:
        return replace(answer, value=engine.parse_order(row, _market(engine, call)))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InconclusiveLookupError("ccxt cannot read the order that was found") from error


def _market(engine: Any, call: Any) -> Any:
    """Return the market of a call, which knows its symbol whatever the row says; None where it names none."""
    method = getattr(engine, call.operation)
    arguments = inspect.signature(method).bind_partial(*call.args, **call.kwargs).arguments
    order = arguments.get("order")  # of a method such as `cancel_unified_order`
    symbol = arguments.get("symbol") or (order.get("symbol") if isinstance(order, Mapping) else None)
    return engine.market(symbol) if symbol else None


def _enveloped(venue: Venue, row: Any) -> Any:
    """Return an order in the envelope of the venue's answers to a write."""
    answer = venue.answer
    if not answer.order:
        return row
    value: Any = [row] if answer.listed else row
    for key in reversed(answer.order.split(".")):
        value = {key: value}
    return {answer.code: answer.success[0], **value}
