"""Fetches by REST the orders that a private stream missed during a gap, and delivers them as updates.

Bitget lists past orders by the time at which they were placed, not at which they ended. So the orders that the stream
reported as open are remembered, the list starts with the oldest of them, and those that it does not contain are
queried one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from inspect import iscoroutinefunction
from math import inf
from typing import Any, NamedTuple

from .._pipeline.fresh_reads import fresh_reads
from ..streams.session.stream_failure import Gap
from .errors import BitgetApiError

__all__ = ["Backfill"]

_OVERLAP = 5.0  # seconds before the gap that are fetched too: clocks differ, and updates may have been on their way
_MAX_LOOKBACK = 86_400.0  # seconds that the list reaches back for old orders; older orders are queried by id
_PAGE_SIZE = "100"
_MAX_PAGES = 50  # more orders than a venue lets an account place in a long gap
_OPEN_STATUSES = ("live", "new", "partially_filled")
_OPEN_ORDER_PATHS = ("unfilled-orders", "orders-pending")
_UNKNOWN_ORDER = ("25204", "40109", "43001")
_ORDER_CHANNELS = ("orders", "order")

_Query = tuple[str, dict[str, Any]]
"""Path and parameters of a GET request."""


class _OpenOrder(NamedTuple):
    """An open order: its symbol, and the Unix time in seconds at which it was placed."""

    symbol: str
    placed: float


class Backfill:
    """Remembers which orders are open, and fetches the orders that a gap hid. Belongs to one event loop."""

    def __init__(self, rest: Any, path: str) -> None:
        """Start without orders.

        Args:
            rest: a REST client; a sync one is called in a thread.
            path: path of the sockets, which tells V2 from V3.
        """
        self._rest, self._unified = rest, path.startswith("/v3")
        self._open_orders: dict[str, dict[str, _OpenOrder]] = {}

    def record(self, update: Mapping[str, Any]) -> None:
        """Record which orders an update reports as open, and which as ended."""
        arg, rows = update.get("arg"), update.get("data")
        if isinstance(arg, Mapping) and _channel(arg) in _ORDER_CHANNELS and isinstance(rows, list):
            for row in rows:
                if isinstance(row, Mapping):
                    self._record_order(_product(arg), row)

    async def prime(self, args: Iterable[Mapping[str, Any]]) -> Iterable[Any]:
        """Record the orders that are open already, which no update reports until they change; return no updates."""
        for arg in args:
            if _channel(arg) in _ORDER_CHANNELS:
                for path, params in self._queries(arg, 0.0):
                    if path.endswith(_OPEN_ORDER_PATHS):
                        async for row in self._list_orders(path, params):
                            self._record_order(_product(arg), row)
        return ()

    async def fetch(self, gap: Gap) -> list[dict[str, Any]]:
        """Return the orders of a gap as updates: those that are open, and those that ended."""
        args = [arg for arg in gap.args if _channel(arg) in _ORDER_CHANNELS]
        rows = [await self._fetch_orders(arg, gap.since - _OVERLAP) for arg in args]
        updates = [
            {"action": "missed", "arg": dict(arg), "data": orders}
            for arg, orders in zip(args, rows, strict=True)
            if orders
        ]
        for update in updates:
            self.record(update)
        return updates

    async def _fetch_orders(self, arg: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        """Return the orders of one subscription that may have changed since a Unix time."""
        rows: dict[str, dict[str, Any]] = {}
        known = self._open_orders.get(_product(arg), {})
        # One second before the oldest open order, so that a rounded start time does not exclude it.
        first = max(min([since, *(order.placed - 1 for order in known.values())]), since - _MAX_LOOKBACK)
        for path, params in self._queries(arg, first):
            async for row in self._list_orders(path, params):
                rows[str(row.get("orderId"))] = row
        for order_id, order in _not_listed(arg, known, rows):
            row_or_none = await self._fetch_order(_product(arg), order_id, order.symbol)
            rows |= {order_id: row_or_none} if row_or_none else {}
        return list(rows.values())

    def _queries(self, arg: Mapping[str, Any], since: float) -> Iterable[_Query]:
        return (_v3_queries if self._unified else _v2_queries)(arg, str(int(since * 1000)))

    async def _list_orders(self, path: str, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield the orders of a list, page after page."""
        for _ in range(_MAX_PAGES):
            answer = await self._get(path, params)
            rows = _orders_in(answer)
            for row in rows:
                yield row
            position = self._position_after(answer, rows)
            if position is None:
                return
            params = {**params, **position}

    def _position_after(self, answer: Mapping[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Return the parameter that asks for the next page, or None after the last one."""
        if len(rows) < int(_PAGE_SIZE):
            return None
        # V3 pages by a cursor, V2 by the id of the last order.
        if not self._unified:
            return {"idLessThan": rows[-1].get("orderId")}
        data = answer.get("data")
        cursor = data.get("cursor") if isinstance(data, Mapping) else None
        return {"cursor": cursor} if cursor else None

    async def _fetch_order(self, product: str, order_id: str, symbol: str) -> dict[str, Any] | None:
        """Return an order that was open and is in no list, or None if Bitget no longer knows it."""
        path, params = _order_query(product, order_id, symbol)
        try:
            answer = await self._get(path, params)
        except BitgetApiError as error:
            # An unknown order is forgotten, so that it is not queried after every gap.
            if error.api_code not in _UNKNOWN_ORDER:
                raise
            self._open_orders[product].pop(order_id, None)
            return None
        data = answer.get("data")
        row = data[0] if isinstance(data, list) and data else data
        return row if isinstance(row, dict) else None

    def _record_order(self, product: str, row: Mapping[str, Any]) -> None:
        status = row.get("orderStatus") or row.get("status") or row.get("state")
        known, order_id = self._open_orders.setdefault(product, {}), str(row.get("orderId"))
        if status in _OPEN_STATUSES:
            known[order_id] = _OpenOrder(str(row.get("instId") or row.get("symbol")), _placed_at(row))
        else:
            known.pop(order_id, None)

    async def _get(self, path: str, params: dict[str, Any]) -> Any:
        with fresh_reads():  # an answer from before the gap does not have what the stream has missed
            if iscoroutinefunction(self._rest.get):
                return await self._rest.get(path, params)
            return await asyncio.to_thread(self._rest.get, path, params)


def _channel(arg: Mapping[str, Any]) -> str:
    return str(arg.get("channel") or arg.get("topic"))


def _product(arg: Mapping[str, Any]) -> str:
    return str(arg.get("instType")).upper()


def _v2_queries(arg: Mapping[str, Any], since: str) -> Iterable[_Query]:
    """Return the queries for an order channel of V2: open orders, then those placed since (milliseconds)."""
    market = {} if arg.get("instId") in (None, "default") else {"symbol": arg["instId"]}
    if _product(arg) == "SPOT":
        paths = "/api/v2/spot/trade/unfilled-orders", "/api/v2/spot/trade/history-orders"
    else:
        paths = "/api/v2/mix/order/orders-pending", "/api/v2/mix/order/orders-history"
        market = {**market, "productType": arg["instType"]}
    page = {**market, "limit": _PAGE_SIZE}
    return [(paths[0], page), (paths[1], {**market, "startTime": since, "limit": _PAGE_SIZE})]


def _v3_queries(_arg: Mapping[str, Any], since: str) -> Iterable[_Query]:
    """Return the queries for the order topic of V3: open orders, then those placed since (milliseconds)."""
    for category in ("SPOT", "USDT-FUTURES"):
        page = {"category": category, "limit": _PAGE_SIZE}
        yield "/api/v3/trade/unfilled-orders", page
        yield "/api/v3/trade/history-orders", {**page, "startTime": since}


def _order_query(product: str, order_id: str, symbol: str) -> _Query:
    """Return the query for one order."""
    if product == "UTA":
        return "/api/v3/trade/order-info", {"orderId": order_id}
    if product == "SPOT":
        return "/api/v2/spot/trade/orderInfo", {"orderId": order_id}
    return "/api/v2/mix/order/detail", {"orderId": order_id, "symbol": symbol, "productType": product}


def _not_listed(
    arg: Mapping[str, Any], known: Mapping[str, _OpenOrder], rows: Mapping[str, Any]
) -> list[tuple[str, _OpenOrder]]:
    """Return the open orders of a subscription that the lists did not contain."""
    # `instId` limits the subscription to one instrument; `default` and V3 cover all of them.
    covered = [item for item in known.items() if arg.get("instId") in (None, "default", item[1].symbol)]
    return [(order_id, order) for order_id, order in covered if order_id not in rows]


def _placed_at(row: Mapping[str, Any]) -> float:
    """Return when an order was placed. Without a usable time it does not move the start of the list: infinity."""
    text = str(row.get("cTime") or row.get("createdTime"))
    return int(text) / 1000 if text.isdecimal() and len(text) < 16 else inf


def _orders_in(envelope: Any) -> list[dict[str, Any]]:
    """Return the orders of a response: its data, or the list inside `entrustedList` or `list`."""
    data = envelope.get("data") if isinstance(envelope, Mapping) else None
    if isinstance(data, Mapping):
        data = data.get("entrustedList") or data.get("list")
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
