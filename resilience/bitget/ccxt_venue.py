"""Adds to a wrapped `ccxt.bitget` what is specific to Bitget. Imports no ccxt.

An uncertain write is prepared again without being sent, so that its parameters are in Bitget's own names whichever
method of ccxt made it. It is then looked up like the writes of our own clients. The order that is found is returned in
the form of ccxt's own `create_order`.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from .._core.call.context import current_call
from .._core.call.reconcile import Fence, Found, NotFound
from .._core.classify.evidence import code_of
from ..integrations.ccxt.exchange_support import Drawn, Handle
from ..integrations.ccxt.method_names import Kind
from .ccxt_account_type import bitget_rule, methods, needs_account_type
from .lookup_runner import LookupRequest, OrderLookup, run_lookup, run_lookup_async
from .operations import BY_PATH, Operation, order_result
from .server_clock import ServerClock

__all__ = ["methods", "venue"]

_CREATE_KEY = "params.clientOrderId|clientOid"
_EDIT_KEY = "params.newClientOid|newClientOrderId"
_EDITS = ("edit_order", "edit_order_with_client_order_id")
_CANCELS = ("cancel_order", "cancel_order_with_client_order_id", "cancel_unified_order")
_WITHOUT_KEY = ("modify-plan-order", "modify-tpsl-order")
"""Amendments of trigger orders: Bitget accepts no new client id in them."""


class BitgetExchangeSupport:
    """What is known of Bitget, for one exchange of ccxt. Safe across threads and tasks."""

    reads_by_get = True

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._clock = ServerClock(time.time)
        self._measured = False

    def info(self, kind: Kind, wrapped: Any) -> Mapping[str, Any]:
        """Return fields of `OperationInfo` for an operation, beyond what its name says."""
        fields: dict[str, Any] = {"can_resync_clock": True, "signs": True, "fence": Fence()}
        known = _OPERATIONS.get(kind.operation.replace("_", "").lower())
        if known is not None:
            fields["idempotent"] = known.idempotent
            fields["sends_window"] = known.sends_window
            fields["key"] = f"params.{known.key}" if known.key else None
        elif kind.key is not None:
            fields["key"] = _CREATE_KEY
        elif kind.operation in _EDITS:
            fields["key"] = _EDIT_KEY
        elif kind.operation not in _CANCELS:
            return fields
        return fields | {"reconcile": self._reconciler(wrapped)}

    def prepared(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to send, with the key under Bitget's name and the receive window of the policy.

        Raises:
            ValueError: the parameters contain another client id than the call's key.
        """
        known, call = BY_PATH.get((method, f"/api/{path}")), current_call()
        if not isinstance(params, Mapping):
            return params
        if path.endswith(_WITHOUT_KEY):
            return {name: value for name, value in params.items() if name != "newClientOid"}
        if known is None or known.key is None:
            return params
        sent = dict(params)
        if known.key == "newClientOid" and "newClientOrderId" in sent:
            sent.setdefault("newClientOid", sent.pop("newClientOrderId"))
        # Under another id the lookup would not find the order, and it would be sent again.
        if call is not None and call.key is not None and sent.get(known.key) != call.key:
            raise ValueError(
                f"{known.key}: {sent.get(known.key)!r} would be sent, but the key of this call is {call.key!r}"
            )
        if known.sends_window and call is not None and call.window is not None and 0 < call.window < 60:
            stamp = int(self._handle.engine.nonce())
            sent |= {"requestTime": str(stamp), "receiveWindow": str(int(call.window * 1000))}
        return sent

    def stamp(self, headers: Mapping[str, Any]) -> float | None:
        """Return the stamp in signed headers in Unix seconds, or None."""
        stamp = str(headers.get("ACCESS-TIMESTAMP", ""))
        return int(stamp) / 1000 if stamp.isdecimal() else None

    def nonce(self, own: Any) -> Any:
        """Return the exchange's time in milliseconds if it was measured, else ccxt's own nonce."""
        return int(self._clock.now() * 1000) if self._measured else own

    def refused(self, body: str, began: float) -> bool:
        """Measure the exchange's clock from a response that rejects a stamp.

        Args:
            body: the response.
            began: monotonic instant at which its request was sent.

        Returns:
            True if a stamp was rejected and the response does not contain the time.
        """
        answer = _parse(body)
        rule = bitget_rule(code_of(answer.get("code")))
        milliseconds = str(answer.get("requestTime", ""))
        if rule is None or rule.hint != "resync_clock":
            return False
        if not milliseconds.isdecimal() or len(milliseconds) >= 20 or int(milliseconds) == 0:
            return True
        self.told(int(milliseconds), began)
        return False

    def told(self, at: Any, began: float) -> None:
        """Set the exchange's clock: `at` is its time in milliseconds, `began` when the request was sent (monotonic)."""
        self._clock.measure(int(at) / 1000, began)
        self._measured = True

    def doubt(self, method: str, path: str, answer: Any) -> tuple[Literal["unreadable", "partial"], str] | None:
        """Return why a response with a success status is not a success, or None if it is one."""
        if not isinstance(answer, Mapping) or "code" not in answer:
            return "unreadable", "the response has no code"
        data = answer.get("data")
        fields: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        if fields.get("failureList"):
            return "partial", "a part failed"
        if fields.get("success") == "failure":
            return "unreadable", "the order was cancelled, and the new one was not placed"
        known = BY_PATH.get((method, f"/api/{path}"))
        if known is not None and known.needs and not any(fields.get(name) for name in known.needs):
            return "unreadable", f"a success without {' or '.join(known.needs)}"
        return None

    # --- lookup of an uncertain write --------------------------------------------------------------

    def _reconciler(self, wrapped: Any) -> Callable[[Any], Any]:
        handle = self._handle

        def ask(path: str, params: dict[str, Any]) -> Any:
            return getattr(wrapped, _ccxt_method("GET", path))(params)

        if handle.asynchronous:

            async def reconcile_async(call: Any) -> Any:
                if not handle.engine.markets:
                    await wrapped.load_markets()
                if needs_account_type(handle.engine):
                    await handle.engine.handle_uta_and_params({}, call.operation)
                request = await handle.draw(call)
                lookup = _lookup_for(request, call)
                if lookup is None:
                    return _unknown_outcome()
                return self._as_ccxt(request, call, await run_lookup_async(lookup, ask))

            return reconcile_async

        def reconcile(call: Any) -> Any:
            if not handle.engine.markets:
                wrapped.load_markets()
            if needs_account_type(handle.engine):
                handle.engine.handle_uta_and_params({}, call.operation)
            request = handle.draw(call)
            lookup = _lookup_for(request, call)
            if lookup is None:
                return _unknown_outcome()
            return self._as_ccxt(request, call, run_lookup(lookup, ask))

        return reconcile

    def _as_ccxt(self, request: Drawn, call: Any, answer: Found | NotFound) -> Found | NotFound:
        """Return the answer of a lookup with the order in the form that the call itself returns."""
        if not isinstance(answer, Found):
            return answer
        row, engine = answer.value, self._handle.engine
        if call.operation.replace("_", "").lower() in _OPERATIONS:
            return replace(answer, value={"code": "00000", "msg": "success", "data": order_result(row, call.key)})
        kind = "spot" if "/spot/" in request.path else "contract"
        market = engine.safe_market(request.params.get("symbol"), None, None, kind)
        order = {**row, "clientOid": row.get("clientOid") or call.key}
        return replace(answer, value=engine.parse_order(order, market))


def venue(handle: Handle) -> BitgetExchangeSupport:
    """Return what is known of Bitget, for an exchange that is being wrapped."""
    return BitgetExchangeSupport(handle)


def _lookup_for(request: Drawn, call: Any) -> OrderLookup | None:
    """Return the lookup for a request, or None if Bitget offers no way to look up such a write.

    Raises:
        LookupError: it is a cancel that cannot be looked up.
    """
    known = BY_PATH.get((request.method, f"/api/{request.path}"))
    if known is not None and known.lookup is not None:
        return known.lookup(LookupRequest(request.params, call.key, call.sent_at))
    if call.key is None:
        raise LookupError(f"{request.path} cannot be looked up")
    return None


def _unknown_outcome() -> Found:
    """Return the answer that ends the lookups at once: the outcome stays unknown."""
    return Found(None, matches=False)


def _parse(body: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, Mapping) else {}


def _ccxt_method(verb: str, path: str) -> str:
    """Return the name of ccxt's method for one of Bitget's endpoints, such as `privateSpotGetV2SpotTradeOrderInfo`."""
    words = re.split(r"[/-]", path.removeprefix("/api/"))
    endpoint = "".join(word[:1].upper() + word[1:] for word in words)
    return f"private{words[1].capitalize()}{verb.capitalize()}{endpoint}"


_OPERATIONS: Mapping[str, Operation] = {
    _ccxt_method(row.method, row.path).lower(): row for row in BY_PATH.values() if row.lookup is not None
}
"""Our operations by the lower-case names of ccxt's methods for the same endpoints."""
