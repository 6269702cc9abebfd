"""Bitget through ccxt: what this exchange adds to a wrapped `ccxt.bitget`. Imports no ccxt.

A write in doubt is drawn again without being sent, so that its fields stand in Bitget's own words
whichever of ccxt's calls made it, and looked up by the same looks as those of our own clients. The
order found comes back in the shape of ccxt's own `create_order`.
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
from ..integrations.ccxt.exchange_support import PreparedRequest, WrappedExchange
from ..integrations.ccxt.method_names import MethodInfo
from .ccxt_account_type import methods, rule_of, undecided
from .lookups import Asked, Look, aasked, asked
from .operations import BY_PATH, Operation, told
from .server_clock import ServerClock

__all__ = ["exchange_support", "methods"]

_CREATED = "params.clientOrderId|clientOid"
_EDITED = "params.newClientOid|newClientOrderId"
_EDITS = ("edit_order", "edit_order_with_client_order_id")
_CANCELS = ("cancel_order", "cancel_order_with_client_order_id", "cancel_unified_order")
_KEYLESS = ("modify-plan-order", "modify-tpsl-order")
"""Amendments of orders that wait for a price: they take no new client id."""


class Unified:
    """What is known of Bitget for one exchange of ccxt. Safe across threads and tasks."""

    reads_by_get = True

    def __init__(self, handle: WrappedExchange) -> None:
        self._handle = handle
        self._clock = ServerClock(time.time)
        self._measured = False

    def describe(self, kind: MethodInfo, wrapped: Any) -> Mapping[str, Any]:
        """Say how an operation takes part beyond what its name says."""
        given: dict[str, Any] = {"can_resync_clock": True, "signs": True, "fence": Fence()}
        known = _ENDPOINTS.get(kind.operation.replace("_", "").lower())
        if known is not None:
            given["idempotent"] = known.harmless
            given["sends_window"] = known.sends_window
            given["key"] = f"params.{known.key}" if known.key else None
        elif kind.key is not None:
            given["key"] = _CREATED
        elif kind.operation in _EDITS:
            given["key"] = _EDITED
        elif kind.operation not in _CANCELS:
            return given
        return given | {"reconcile": self._reconciler(wrapped)}

    def prepare_params(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to send, with the key where Bitget reads it and the window that was asked for.

        Raises:
            ValueError: another client id would be sent than the one that the call goes by.
        """
        known, call = BY_PATH.get((method, f"/api/{path}")), current_call()
        if not isinstance(params, Mapping):
            return params
        if path.endswith(_KEYLESS):
            return {name: value for name, value in params.items() if name != "newClientOid"}
        if known is None or known.key is None:
            return params
        sent = dict(params)
        if known.key == "newClientOid" and "newClientOrderId" in sent:
            sent.setdefault("newClientOid", sent.pop("newClientOrderId"))
        if call is not None and call.key is not None and sent.get(known.key) != call.key:
            raise ValueError(f"{known.key}: {sent.get(known.key)!r} would be sent, but this call goes by {call.key!r}")
        if known.sends_window and call is not None and call.window is not None and 0 < call.window < 60:
            stamp = int(self._handle.engine.nonce())
            sent |= {"requestTime": str(stamp), "receiveWindow": str(int(call.window * 1000))}
        return sent

    def stamp(self, headers: Mapping[str, Any]) -> float | None:
        """Return the stamp in signed headers, Unix seconds."""
        stamp = str(headers.get("ACCESS-TIMESTAMP", ""))
        return int(stamp) / 1000 if stamp.isdecimal() else None

    def nonce(self, own: Any) -> Any:
        """Return the exchange's time in milliseconds once it was measured, until then ccxt's own nonce."""
        return int(self._clock.now() * 1000) if self._measured else own

    def learn_rejection(self, body: str, began: float) -> bool:
        """Measure the exchange's clock by the answer that refuses a stamp; True when that does not tell the time."""
        answer = _parsed(body)
        rule = rule_of(code_of(answer.get("code")))
        at = str(answer.get("requestTime", ""))
        if rule is None or rule.hint != "resync_clock":
            return False
        if not at.isdecimal() or len(at) >= 20 or int(at) == 0:
            return True
        self.learn_time(int(at), began)
        return False

    def learn_time(self, at: Any, began: float) -> None:
        """Take the exchange's time in milliseconds, told for a request that was sent at a monotonic instant."""
        self._clock.told(int(at) / 1000, began)
        self._measured = True

    def find_problem(self, method: str, path: str, answer: Any) -> tuple[Literal["unreadable", "partial"], str] | None:
        """Say why an answer under a success status is no success, or return None."""
        if not isinstance(answer, Mapping) or "code" not in answer:
            return "unreadable", "the answer has no code"
        data = answer.get("data")
        fields: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        if fields.get("failureList"):
            return "partial", "a part failed"
        if fields.get("success") == "failure":
            return "unreadable", "the order was cancelled, and not placed anew"
        known = BY_PATH.get((method, f"/api/{path}"))
        if known is not None and known.needs and not any(fields.get(one) for one in known.needs):
            return "unreadable", f"a success without {' or '.join(known.needs)}"
        return None

    # --- looking a write in doubt up ---------------------------------------------------------------

    def _reconciler(self, wrapped: Any) -> Callable[[Any], Any]:
        handle = self._handle

        def ask(path: str, params: dict[str, Any]) -> Any:
            return getattr(wrapped, _method("GET", path))(params)

        if handle.asynchronous:

            async def alook(call: Any) -> Any:
                if not handle.engine.markets:
                    await wrapped.load_markets()
                if undecided(handle.engine):
                    await handle.engine.handle_uta_and_params({}, call.operation)
                drawn = await handle.dry_run(call)
                look = _look(drawn, call)
                return _nobody_tells() if look is None else self._shaped(drawn, call, await aasked(look, ask))

            return alook

        def look(call: Any) -> Any:
            if not handle.engine.markets:
                wrapped.load_markets()
            if undecided(handle.engine):
                handle.engine.handle_uta_and_params({}, call.operation)
            drawn = handle.dry_run(call)
            look = _look(drawn, call)
            return _nobody_tells() if look is None else self._shaped(drawn, call, asked(look, ask))

        return look

    def _shaped(self, drawn: PreparedRequest, call: Any, answer: Found | NotFound) -> Found | NotFound:
        """Return a look's answer with the order in the shape that the call returns."""
        if not isinstance(answer, Found):
            return answer
        row, engine = answer.value, self._handle.engine
        if call.operation.replace("_", "").lower() in _ENDPOINTS:
            return replace(answer, value={"code": "00000", "msg": "success", "data": told(row, call.key)})
        kind = "spot" if "/spot/" in drawn.path else "contract"
        market = engine.safe_market(drawn.params.get("symbol"), None, None, kind)
        named = {**row, "clientOid": row.get("clientOid") or call.key}
        return replace(answer, value=engine.parse_order(named, market))


def exchange_support(handle: WrappedExchange) -> Unified:
    """Return what is known of Bitget for an exchange that is wrapped."""
    return Unified(handle)


def _look(drawn: PreparedRequest, call: Any) -> Look | None:
    """Return the look for a request, or None where Bitget tells nothing of such a write.

    Raises:
        LookupError: it is a cancel of which Bitget tells nothing.
    """
    known = BY_PATH.get((drawn.method, f"/api/{drawn.path}"))
    if known is not None and known.look is not None:
        return known.look(Asked(drawn.params, call.key, call.sent_at))
    if call.key is None:
        raise LookupError(f"nothing tells what became of {drawn.path}")
    return None


def _nobody_tells() -> Found:
    """Return the answer that ends the looking at once: whether it happened stays unknown."""
    return Found(None, matches=False)


def _parsed(body: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, Mapping) else {}


def _method(verb: str, path: str) -> str:
    """Return the name of ccxt's method for one of Bitget's endpoints: `privateSpotGetV2SpotTradeOrderInfo`."""
    words = re.split(r"[/-]", path.removeprefix("/api/"))
    return f"private{words[1].capitalize()}{verb.capitalize()}" + "".join(one[:1].upper() + one[1:] for one in words)


_ENDPOINTS: Mapping[str, Operation] = {
    _method(one.method, one.path).lower(): one for one in BY_PATH.values() if one.look is not None
}
"""Our operations by the names of ccxt's methods for the same endpoints, in small letters."""
