"""Adds to a wrapped `ccxt.bitget` what is specific to Bitget. Imports no ccxt.

An uncertain write is prepared again without being sent, so that its parameters are in Bitget's own names whichever
method of ccxt made it. It is then looked up like the writes of our own clients. The order that is found is returned in
the form of ccxt's own `create_order`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Literal

from .._core.call.context import current_call
from .._core.classify.code_and_status import code_of
from .._core.stages.fence import Fence
from ..integrations.ccxt.exchange_support import ExchangeSupport, WrappedExchange
from ..integrations.ccxt.method_names import MethodInfo
from ..venues.server_clock import ServerClock
from .ccxt_account_type import bitget_rule, methods
from .ccxt_lookup import CCXT_OPERATIONS, ccxt_reconciler
from .operations import BY_PATH

__all__ = ["BitgetExchangeSupport", "exchange_support", "methods"]

_CREATE_KEY = "params.clientOrderId|clientOid"
_EDIT_KEY = "params.newClientOid|newClientOrderId"
_EDITS = ("edit_order", "edit_order_with_client_order_id")
_CANCELS = ("cancel_order", "cancel_order_with_client_order_id", "cancel_unified_order")
_WITHOUT_KEY = ("modify-plan-order", "modify-tpsl-order")
"""Amendments of trigger orders: Bitget accepts no new client id in them."""


class BitgetExchangeSupport(ExchangeSupport):
    """What is known of Bitget, for one exchange of ccxt. Safe across threads and tasks."""

    reads_by_get = True

    def __init__(self, exchange: WrappedExchange) -> None:
        self._exchange = exchange
        self._clock = ServerClock(time.time)
        self._measured = False

    def describe(self, method: MethodInfo, wrapped: Any) -> Mapping[str, Any]:
        """Return fields of `OperationInfo` for a method, beyond what its name says."""
        fields: dict[str, Any] = {"can_resync_clock": True, "signs": True, "fence": Fence()}
        known = CCXT_OPERATIONS.get(method.operation.replace("_", "").lower())
        if known is not None:
            fields["idempotent"] = known.idempotent
            fields["sends_window"] = known.sends_window
            fields["key"] = f"params.{known.key}" if known.key else None
        elif method.key is not None:
            fields["key"] = _CREATE_KEY
        elif method.operation in _EDITS:
            fields["key"] = _EDIT_KEY
        elif method.operation not in _CANCELS:
            return fields
        return fields | {"reconcile": ccxt_reconciler(self._exchange, wrapped)}

    def prepare_params(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to send, with the key under Bitget's name.

        Raises:
            ValueError: the parameters contain another client id than the call's key.
        """
        known, call = BY_PATH.get((method, f"/api/{path}")), current_call()
        if not isinstance(params, Mapping):
            return params
        # The wrapped exchange adds a key to every amendment; amendments of trigger orders do not accept it.
        if path.endswith(_WITHOUT_KEY):
            return {name: value for name, value in params.items() if name != "newClientOid"}
        if known is None or known.key is None:
            return params
        return _with_key(params, known.key, None if call is None else call.key)

    def stamped_params(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to sign, with the receive window of the policy for the writes that have one."""
        known, call = BY_PATH.get((method, f"/api/{path}")), current_call()
        if known is None or not known.sends_window or not isinstance(params, Mapping):
            return params
        if call is None or call.window is None or not 0 < call.window < 60:
            return params
        # Bitget measures the window from `requestTime`, so it is the same clock as the signature's stamp.
        stamp = int(self._exchange.engine.nonce())
        return {**params, "requestTime": str(stamp), "receiveWindow": str(int(call.window * 1000))}

    def stamp(self, headers: Mapping[str, Any]) -> float | None:
        """Return the stamp in signed headers in Unix seconds, or None."""
        stamp = str(headers.get("ACCESS-TIMESTAMP", ""))
        return int(stamp) / 1000 if stamp.isdecimal() else None

    def nonce(self, own: Any) -> Any:
        """Return the exchange's time in milliseconds if it was measured, else ccxt's own nonce."""
        # ccxt's own nonce follows the user's `adjustForTimeDifference`, so it is kept until Bitget rejects a stamp.
        return int(self._clock.now() * 1000) if self._measured else own

    def learn_rejection(self, body: str, sent_at: float) -> bool:
        """Measure the exchange's clock from a response that rejects a stamp.

        Args:
            body: the response.
            sent_at: monotonic instant at which its request was sent.

        Returns:
            True if a stamp was rejected and the response does not contain the time.
        """
        answer = _parse(body)
        rule = bitget_rule(code_of(answer.get("code")))
        milliseconds = str(answer.get("requestTime", ""))
        if rule is None or rule.hint != "resync_clock":
            return False
        # The length is checked first: `int` of a very long string of digits is quadratic, and raises above 4,300.
        if not milliseconds.isdecimal() or len(milliseconds) >= 20 or int(milliseconds) == 0:
            return True
        self.learn_time(int(milliseconds), sent_at)
        return False

    def learn_time(self, milliseconds: Any, sent_at: float) -> None:
        """Set the exchange's clock from the response to a request that was sent at a monotonic instant."""
        self._clock.measure(int(milliseconds) / 1000, sent_at)
        self._measured = True

    def find_problem(
        self, method: str, path: str, response: Any
    ) -> tuple[Literal["unreadable", "partial"], str] | None:
        """Return why a response with a success status is not a success, or None if it is one."""
        if not isinstance(response, Mapping) or "code" not in response:
            return "unreadable", "the response has no code"
        data = response.get("data")
        fields: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        if fields.get("failureList"):
            return "partial", "a part failed"
        if fields.get("success") == "failure":
            return "unreadable", "the order was cancelled, and the new one was not placed"
        # Bitget confirmed the request, but not what was requested: the outcome is uncertain.
        known = BY_PATH.get((method, f"/api/{path}"))
        if known is not None and known.needs and not any(fields.get(name) for name in known.needs):
            return "unreadable", f"a success without {' or '.join(known.needs)}"
        return None


def exchange_support(exchange: WrappedExchange) -> BitgetExchangeSupport:
    """Return what is known of Bitget, for an exchange that is being wrapped."""
    return BitgetExchangeSupport(exchange)


def _parse(body: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, Mapping) else {}


def _with_key(params: Mapping[str, Any], name: str, key: str | None) -> dict[str, Any]:
    """Return the parameters with the key under Bitget's name for it; any other id than the call's key is an error."""
    sent = dict(params)
    if name == "newClientOid" and "newClientOrderId" in sent:
        sent.setdefault("newClientOid", sent.pop("newClientOrderId"))
    # Under another id the lookup would not find the order, and it would be sent again.
    if key is not None and sent.get(name) != key:
        raise ValueError(f"{name}: {sent.get(name)!r} would be sent, but the key of this call is {key!r}")
    return sent
