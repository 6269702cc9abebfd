"""Looks up uncertain writes of a wrapped `ccxt.bitget`, through ccxt's own methods for Bitget's endpoints."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .._core.base.routine import Invocation, Routine
from .._core.call.lookup_answer import Found, InconclusiveLookupError, NotFound
from .._drivers.routine_runner import routine_function
from ..integrations.ccxt.exchange_support import PreparedRequest, WrappedExchange
from .ccxt_account_type import needs_account_type
from .lookup_runner import LookupRequest, OrderLookup, lookup_routine
from .operations import BY_PATH, Operation, order_result

__all__ = ["CCXT_OPERATIONS", "ccxt_reconciler"]


def ccxt_reconciler(exchange: WrappedExchange, wrapped: Any) -> Callable[[Any], Any]:
    """Return the function that looks up an uncertain write.

    Args:
        exchange: prepares the request of a call again, without sending it.
        wrapped: the wrapped exchange, through which the queries are sent.
    """

    def reconcile(call: Any) -> Routine[Found | NotFound]:
        # Preparing a request must send nothing, so what ccxt would load on the way is loaded first.
        if not exchange.engine.markets:
            yield Invocation(wrapped.load_markets)
        if needs_account_type(exchange.engine):
            yield Invocation(exchange.engine.handle_uta_and_params, ({}, call.operation))
        request = yield Invocation(exchange.dry_run, (call,))
        lookup = _lookup_for(request, call)
        if lookup is None:
            return _unknown_outcome()
        answer = yield from lookup_routine(lookup, _query_function(wrapped))
        return _as_ccxt(exchange.engine, request, call, answer)

    return routine_function(reconcile, asynchronous=exchange.asynchronous)


def _query_function(wrapped: Any) -> Callable[[str, dict[str, Any]], Any]:
    def ask(path: str, params: dict[str, Any]) -> Any:
        return getattr(wrapped, _ccxt_method("GET", path))(params)

    return ask


def _as_ccxt(engine: Any, request: PreparedRequest, call: Any, answer: Found | NotFound) -> Found | NotFound:
    """Return the answer of a lookup with the order in the form that the call itself returns.

    Raises:
        InconclusiveLookupError: ccxt cannot read the order.
    """
    if not isinstance(answer, Found):
        return answer
    row = answer.value
    # ccxt's implicit methods return Bitget's envelope, and its unified methods return ccxt's own order.
    if call.operation.replace("_", "").lower() in CCXT_OPERATIONS:
        return replace(answer, value={"code": "00000", "msg": "success", "data": order_result(row, call.key)})
    kind = "spot" if "/spot/" in request.path else "contract"
    market = engine.safe_market(request.params.get("symbol"), None, None, kind)
    order = {**row, "clientOid": row.get("clientOid") or call.key}
    try:
        return replace(answer, value=engine.parse_order(order, market))
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InconclusiveLookupError("ccxt cannot read the order that was found") from error


def _lookup_for(request: PreparedRequest, call: Any) -> OrderLookup | None:
    """Return the lookup for a request, or None if Bitget offers no way to look up such a write.

    Raises:
        InconclusiveLookupError: it is a cancel that cannot be looked up.
    """
    known = BY_PATH.get((request.method, f"/api/{request.path}"))
    if known is not None and known.lookup is not None:
        return known.lookup(LookupRequest(request.params, call.key, call.sent_at))
    if call.key is None:
        raise InconclusiveLookupError(f"{request.path} cannot be looked up")
    return None


def _unknown_outcome() -> Found:
    """Return the answer that ends the lookups at once: the outcome stays unknown."""
    return Found(None, matches=False)


def _ccxt_method(verb: str, path: str) -> str:
    """Return the name of ccxt's method for one of Bitget's endpoints, such as `privateSpotGetV2SpotTradeOrderInfo`."""
    words = re.split(r"[/-]", path.removeprefix("/api/"))
    endpoint = "".join(word[:1].upper() + word[1:] for word in words)
    # ccxt puts the section (the second part of the path: spot, mix, trade) before the verb.
    return f"private{words[1].capitalize()}{verb.capitalize()}{endpoint}"


CCXT_OPERATIONS: Mapping[str, Operation] = {
    _ccxt_method(row.method, row.path).lower(): row for row in BY_PATH.values() if row.lookup is not None
}
"""Our operations by the lower-case names of ccxt's methods for the same endpoints."""
