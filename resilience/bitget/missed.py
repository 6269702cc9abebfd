"""What a private stream missed, fetched by REST: the orders that changed within a gap, as updates.

A list of past orders goes by when they were placed, not by when they ended. So the orders that the
stream showed open are remembered, and those that no list shows any more are asked for one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from inspect import iscoroutinefunction
from typing import Any

from ..streams.failure import Gap
from .errors import BitgetApiError

__all__ = ["Missed"]

_EARLIER = 5.0  # seconds that are fetched twice rather than missed: clocks differ, and pushes are under way
_MOST = "100"
_OPEN = ("live", "new", "partially_filled")
_GONE = ("25204", "40109", "43001")
_CHANNELS = ("orders", "order")

_Question = tuple[str, dict[str, Any]]


class Missed:
    """Remembers which orders are open, and fetches what a gap swallowed. Belongs to one event loop."""

    def __init__(self, rest: Any, path: str) -> None:
        """Begin without orders; `rest` is sync (and asked in a thread) or async, `path` is that of the sockets."""
        self._rest, self._unified = rest, path.startswith("/v3")
        self._open: dict[str, dict[str, str]] = {}
        self._ended: dict[str, dict[str, Any]] = {}  # found by a fetch that failed later, and is made again

    def heard(self, update: Mapping[str, Any]) -> None:
        """Note which orders an update shows open, and which have ended."""
        arg, rows = update.get("arg"), update.get("data")
        if isinstance(arg, Mapping) and _name(arg) in _CHANNELS and isinstance(rows, list):
            for row in rows:
                if isinstance(row, Mapping):
                    self._note(_product(arg), row)

    async def fetch(self, gap: Gap) -> list[dict[str, Any]]:
        """Return the orders of a gap as updates: those that are open, and those that came to an end."""
        told = [arg for arg in gap.args if _name(arg) in _CHANNELS]
        rows = [await self._fetched(arg, gap.since - _EARLIER) for arg in told]
        found = [
            {"action": "missed", "arg": dict(arg), "data": some} for arg, some in zip(told, rows, strict=True) if some
        ]
        self._ended.clear()
        for update in found:
            self.heard(update)
        return found

    async def _fetched(self, arg: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        rows: dict[str, dict[str, Any]] = {}
        ask = _v3 if self._unified else _v2
        for path, params in ask(arg, str(int(since * 1000))):
            for row in _rows(await self._asked(path, params)):
                rows[str(row.get("orderId"))] = row
        for order_id, symbol in list(self._open.get(_product(arg), {}).items()):
            if order_id not in rows and arg.get("instId") in (None, "default", symbol):
                rows |= await self._one(_product(arg), order_id, symbol)
        return list(rows.values())

    async def _one(self, product: str, order_id: str, symbol: str) -> dict[str, dict[str, Any]]:
        """Return an order that was open and stands in no list, by its id; nothing where it is gone."""
        if order_id not in self._ended:
            path, params = _question(product, order_id, symbol)
            try:
                answer = await self._asked(path, params)
            except BitgetApiError as error:
                if str(error.code) not in _GONE:
                    raise
                self._open[product].pop(order_id, None)
                return {}
            data = answer.get("data")
            row = data[0] if isinstance(data, list) and data else data
            if not isinstance(row, dict):
                return {}
            self._ended[order_id] = row
        return {order_id: self._ended[order_id]}

    def _note(self, product: str, row: Mapping[str, Any]) -> None:
        status = row.get("orderStatus") or row.get("status") or row.get("state")
        known, order_id = self._open.setdefault(product, {}), str(row.get("orderId"))
        if status in _OPEN:
            known[order_id] = str(row.get("instId") or row.get("symbol"))
        else:
            known.pop(order_id, None)

    async def _asked(self, path: str, params: dict[str, Any]) -> Any:
        if iscoroutinefunction(self._rest.get):
            return await self._rest.get(path, params)
        return await asyncio.to_thread(self._rest.get, path, params)


def _name(arg: Mapping[str, Any]) -> str:
    return str(arg.get("channel") or arg.get("topic"))


def _product(arg: Mapping[str, Any]) -> str:
    return str(arg.get("instType")).upper()


def _v2(arg: Mapping[str, Any], since: str) -> Iterable[_Question]:
    """Return what to ask for an order channel of V2: open orders, then those placed since."""
    one = {} if arg.get("instId") in (None, "default") else {"symbol": arg["instId"]}
    if _product(arg) == "SPOT":
        paths = "/api/v2/spot/trade/unfilled-orders", "/api/v2/spot/trade/history-orders"
    else:
        paths = "/api/v2/mix/order/orders-pending", "/api/v2/mix/order/orders-history"
        one = {**one, "productType": arg["instType"]}
    return [(paths[0], {**one, "limit": _MOST}), (paths[1], {**one, "startTime": since, "limit": _MOST})]


def _v3(_arg: Mapping[str, Any], since: str) -> Iterable[_Question]:
    """Return what to ask for the order topic of V3."""
    for category in ("SPOT", "USDT-FUTURES"):
        told = {"category": category, "limit": _MOST}
        yield "/api/v3/trade/unfilled-orders", told
        yield "/api/v3/trade/history-orders", {**told, "startTime": since}


def _question(product: str, order_id: str, symbol: str) -> _Question:
    """Return what to ask for one order."""
    if product == "UTA":
        return "/api/v3/trade/order-info", {"orderId": order_id}
    if product == "SPOT":
        return "/api/v2/spot/trade/orderInfo", {"orderId": order_id}
    return "/api/v2/mix/order/detail", {"orderId": order_id, "symbol": symbol, "productType": product}


def _rows(envelope: Any) -> list[dict[str, Any]]:
    """Return the orders of an answer: a list, or one inside `entrustedList` or `list`."""
    data = envelope.get("data") if isinstance(envelope, Mapping) else None
    if isinstance(data, Mapping):
        data = data.get("entrustedList") or data.get("list")
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
