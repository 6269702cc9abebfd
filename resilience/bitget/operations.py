"""What the client knows of Bitget's endpoints: one row an operation, the same for both colours of client.

A row says how the operation is sent, whether it reads, where its key travels, how a write in doubt is
looked up, and what of the answer the caller gets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .lookups import (
    MIX_INFO,
    SPOT_INFO,
    UTA_INFO,
    Asked,
    Look,
    cancelled,
    mix_order,
    replaced,
    spot_order,
    status_of,
    uta_order,
)

__all__ = ["BY_PATH", "OPERATIONS", "TIME", "Operation", "told"]

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
    return (data.get("entrustedList") or []) if isinstance(data, Mapping) else data


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
        read: takes what the caller gets out of the envelope.
        key: the parameter that carries the key of a write, or None.
        look: how it is looked up; None for reads, and for writes that nothing tells of.
        harmless: sending it twice changes nothing more, as with a cancel.
        needs: a success must tell one of these, or it is in doubt.
        sends_window: it carries `requestTime` and `receiveWindow`, so that its own window holds.
    """

    name: str
    method: str
    path: str
    read: Callable[[Mapping[str, Any]], Any] = _data
    key: str | None = None
    look: Callable[[Asked], Look] | None = None
    harmless: bool = False
    needs: tuple[str, ...] = ()
    sends_window: bool = False


def told(row: Mapping[str, Any], key: str | None) -> dict[str, Any]:
    """Return an order that was looked up in the shape that a write returns, with its present status."""
    return {"orderId": row["orderId"], "clientOid": row.get("clientOid") or key, "status": status_of(row)}


_ROWS = (
    Operation(name="server_time", method="GET", path=TIME, read=_server_time),
    Operation(name="spot_ticker", method="GET", path=f"{_SPOT}/market/tickers"),
    Operation(name="spot_balance", method="GET", path=f"{_SPOT}/account/assets"),
    Operation(name="spot_order", method="GET", path=SPOT_INFO, read=_first),
    Operation(name="spot_open_orders", method="GET", path=f"{_SPOT}/trade/unfilled-orders"),
    Operation(
        name="spot_place_order",
        method="POST",
        path=f"{_SPOT}/trade/place-order",
        key="clientOid",
        look=spot_order,
        needs=("orderId",),
        sends_window=True,
    ),
    Operation(name="spot_place_orders", method="POST", path=f"{_SPOT}/trade/batch-orders"),
    Operation(
        name="spot_cancel_order",
        method="POST",
        path=f"{_SPOT}/trade/cancel-order",
        look=cancelled(SPOT_INFO),
        harmless=True,
    ),
    Operation(
        name="spot_replace_order",
        method="POST",
        path=f"{_SPOT}/trade/cancel-replace-order",
        key="newClientOid",
        look=replaced(spot_order, SPOT_INFO),
        needs=("orderId",),
    ),
    Operation(name="mix_ticker", method="GET", path=f"{_MIX}/market/ticker"),
    Operation(name="mix_balance", method="GET", path=f"{_MIX}/account/accounts"),
    Operation(name="mix_order", method="GET", path=MIX_INFO),
    Operation(name="mix_open_orders", method="GET", path=f"{_MIX}/order/orders-pending", read=_entrusted),
    Operation(
        name="mix_place_order",
        method="POST",
        path=f"{_MIX}/order/place-order",
        key="clientOid",
        look=mix_order,
        needs=("orderId", "clientOid"),  # a one-way reduce-only order may be told without its id
    ),
    Operation(
        name="mix_cancel_order",
        method="POST",
        path=f"{_MIX}/order/cancel-order",
        look=cancelled(MIX_INFO),
        harmless=True,
    ),
    Operation(
        name="mix_modify_order",
        method="POST",
        path=f"{_MIX}/order/modify-order",
        key="newClientOid",
        look=replaced(mix_order, MIX_INFO),
        needs=("orderId", "clientOid"),
    ),
    Operation(name="uta_order", method="GET", path=UTA_INFO),
    Operation(name="uta_open_orders", method="GET", path=f"{_UTA}/unfilled-orders", read=_list),
    Operation(
        name="uta_place_order",
        method="POST",
        path=f"{_UTA}/place-order",
        key="clientOid",
        look=uta_order,
        needs=("orderId",),
    ),
    Operation(
        name="uta_cancel_order",
        method="POST",
        path=f"{_UTA}/cancel-order",
        look=cancelled(UTA_INFO),
        harmless=True,
    ),
)
OPERATIONS: Mapping[str, Operation] = {one.name: one for one in _ROWS}
"""Operations by the name of their method."""
BY_PATH: Mapping[tuple[str, str], Operation] = {(one.method, one.path): one for one in _ROWS}
"""Operations by method and path, for generic calls."""
