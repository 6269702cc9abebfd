"""Describes Bitget's endpoints: one row per operation, shared by the sync and the async client.

A row says how the operation is sent, whether it reads, which parameter carries its key, how an uncertain write is
looked up, and which part of the response the caller gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["BY_PATH", "OPERATIONS", "TIME", "Operation"]

_SPOT, _MIX, _UTA = "/api/v2/spot", "/api/v2/mix", "/api/v3/trade"
TIME = "/api/v2/public/time"


def _data(answer: Mapping[str, Any]) -> Any:
    return answer["data"]


def _server_time(answer: Mapping[str, Any]) -> float:
    return int(answer["data"]["serverTime"]) / 1000


def _first(answer: Mapping[str, Any]) -> Any:
    data = answer["data"]
    return data[0] if data else None


def _entrusted(answer: Mapping[str, Any]) -> Any:
    data = answer["data"]
    # Bitget sends null instead of an empty list.
    return (data.get("entrustedList") or []) if isinstance(data, Mapping) else data


def _reduces(params: Mapping[str, Any]) -> bool:
    return str(params.get("reduceOnly", "")).upper() in ("YES", "TRUE")


def _always(_params: Mapping[str, Any]) -> bool:
    return True


def _never(_params: Mapping[str, Any]) -> bool:
    return False


def _list(answer: Mapping[str, Any]) -> Any:
    data = answer["data"]
    return (data.get("list") or []) if isinstance(data, Mapping) else data


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One endpoint.

    Attributes:
        name: the client's method.
        method: GET or POST.
        path: the endpoint's path.
        extract: returns the caller's result from the envelope.
        key: the parameter that carries the key of a write, or None.
        write: its name in the venue's file, by which an uncertain one is looked up; None for reads, and for writes
            that cannot be looked up.
        idempotent: sending it twice has the same effect as once, as with a cancel.
        needs: fields of which a success must contain at least one; otherwise its outcome is uncertain.
        may_lack_order_id: returns whether a success with these parameters may be without its order id.
        sends_window: it carries `requestTime` and `receiveWindow`, so the window of the request applies.
    """

    name: str
    method: str
    path: str
    extract: Callable[[Mapping[str, Any]], Any] = _data
    key: str | None = None
    write: str | None = None
    idempotent: bool = False
    needs: tuple[str, ...] = ()
    may_lack_order_id: Callable[[Mapping[str, Any]], bool] = _never
    sends_window: bool = False


_ROWS = (
    Operation(name="server_time", method="GET", path=TIME, extract=_server_time),
    Operation(name="spot_ticker", method="GET", path=f"{_SPOT}/market/tickers"),
    Operation(name="spot_balance", method="GET", path=f"{_SPOT}/account/assets"),
    Operation(name="spot_order", method="GET", path=f"{_SPOT}/trade/orderInfo", extract=_first),
    Operation(name="spot_open_orders", method="GET", path=f"{_SPOT}/trade/unfilled-orders"),
    Operation(
        name="spot_place_order",
        method="POST",
        path=f"{_SPOT}/trade/place-order",
        key="clientOid",
        write="privateSpotPostV2SpotTradePlaceOrder",
        needs=("orderId",),
        sends_window=True,
    ),
    Operation(name="spot_place_orders", method="POST", path=f"{_SPOT}/trade/batch-orders"),
    Operation(
        name="spot_cancel_order",
        method="POST",
        path=f"{_SPOT}/trade/cancel-order",
        write="privateSpotPostV2SpotTradeCancelOrder",
        idempotent=True,
        needs=("orderId", "clientOid"),
    ),
    Operation(
        name="spot_replace_order",
        method="POST",
        path=f"{_SPOT}/trade/cancel-replace-order",
        key="newClientOid",
        write="privateSpotPostV2SpotTradeCancelReplaceOrder",
        needs=("orderId",),
    ),
    Operation(name="mix_ticker", method="GET", path=f"{_MIX}/market/ticker"),
    Operation(name="mix_balance", method="GET", path=f"{_MIX}/account/accounts"),
    Operation(name="mix_order", method="GET", path=f"{_MIX}/order/detail"),
    Operation(name="mix_open_orders", method="GET", path=f"{_MIX}/order/orders-pending", extract=_entrusted),
    Operation(
        name="mix_place_order",
        method="POST",
        path=f"{_MIX}/order/place-order",
        key="clientOid",
        write="privateMixPostV2MixOrderPlaceOrder",
        needs=("orderId", "clientOid"),
        may_lack_order_id=_reduces,  # in one-way mode
    ),
    Operation(
        name="mix_cancel_order",
        method="POST",
        path=f"{_MIX}/order/cancel-order",
        write="privateMixPostV2MixOrderCancelOrder",
        idempotent=True,
        needs=("orderId", "clientOid"),
    ),
    Operation(
        name="mix_modify_order",
        method="POST",
        path=f"{_MIX}/order/modify-order",
        key="newClientOid",
        write="privateMixPostV2MixOrderModifyOrder",
        needs=("orderId", "clientOid"),
        may_lack_order_id=_always,
    ),
    Operation(name="uta_order", method="GET", path=f"{_UTA}/order-info"),
    Operation(name="uta_open_orders", method="GET", path=f"{_UTA}/unfilled-orders", extract=_list),
    Operation(
        name="uta_place_order",
        method="POST",
        path=f"{_UTA}/place-order",
        key="clientOid",
        write="privateUtaPostV3TradePlaceOrder",
        needs=("orderId",),
    ),
    Operation(
        name="uta_cancel_order",
        method="POST",
        path=f"{_UTA}/cancel-order",
        write="privateUtaPostV3TradeCancelOrder",
        idempotent=True,
        needs=("orderId", "clientOid"),
    ),
)
OPERATIONS: Mapping[str, Operation] = {row.name: row for row in _ROWS}
"""Operations by the name of their method."""
BY_PATH: Mapping[tuple[str, str], Operation] = {(row.method, row.path): row for row in _ROWS}
"""Operations by method and path, for generic calls."""
