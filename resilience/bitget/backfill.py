"""What a private stream missed, fetched by REST: the orders that changed within a gap, as updates.

A list of past orders goes by when they were placed, not by when they ended. So the orders that the
stream showed open are remembered, the list begins with the oldest of them, and those that it does
not show are asked for one by one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from inspect import iscoroutinefunction
from math import inf
from typing import Any, NamedTuple

from ..streams.session.stream_failure import Gap
from .errors import BitgetApiError

__all__ = ["Missed"]

_EARLIER = 5.0  # seconds that are fetched twice rather than missed: clocks differ, and pushes are under way
_LONGEST = 86_400.0  # seconds that the list looks back for the sake of old orders; older ones are asked for by id
_MOST = "100"
_PAGES = 50  # of that many orders: more than a venue lets an account place in a long gap
_OPEN = ("live", "new", "partially_filled")
_PENDING = ("unfilled-orders", "orders-pending")
_GONE = ("25204", "40109", "43001")
_CHANNELS = ("orders", "order")

_Question = tuple[str, dict[str, Any]]


class _Order(NamedTuple):
    """An order that was open: its symbol, and the Unix time at which it was placed."""

    symbol: str
    placed: float


class Missed:
    """Remembers which orders are open, and fetches what a gap swallowed. Belongs to one event loop."""

    def __init__(self, rest: Any, path: str) -> None:
        """Begin without orders; `rest` is sync (and asked in a thread) or async, `path` is that of the sockets."""
        self._rest, self._unified = rest, path.startswith("/v3")
        self._open: dict[str, dict[str, _Order]] = {}

    def heard(self, update: Mapping[str, Any]) -> None:
        """Note which orders an update shows open, and which have ended."""
        arg, rows = update.get("arg"), update.get("data")
        if isinstance(arg, Mapping) and _name(arg) in _CHANNELS and isinstance(rows, list):
            for row in rows:
                if isinstance(row, Mapping):
                    self._note(_product(arg), row)

    async def prime(self, args: Iterable[Mapping[str, Any]]) -> Iterable[Any]:
        """Learn which orders are open already: no push tells of those until they change. Nothing is told of them."""
        for arg in args:
            if _name(arg) in _CHANNELS:
                for path, params in self._questions(arg, 0.0):
                    if path.endswith(_PENDING):
                        async for row in self._listed(path, params):
                            self._note(_product(arg), row)
        return ()

    async def fetch(self, gap: Gap) -> list[dict[str, Any]]:
        """Return the orders of a gap as updates: those that are open, and those that came to an end."""
        told = [arg for arg in gap.args if _name(arg) in _CHANNELS]
        rows = [await self._fetched(arg, gap.since - _EARLIER) for arg in told]
        found = [
            {"action": "missed", "arg": dict(arg), "data": some} for arg, some in zip(told, rows, strict=True) if some
        ]
        for update in found:
            self.heard(update)
        return found

    async def _fetched(self, arg: Mapping[str, Any], since: float) -> list[dict[str, Any]]:
        """Return the orders of one subscription by what changed since a Unix time."""
        rows: dict[str, dict[str, Any]] = {}
        known = self._open.get(_product(arg), {})
        first = max(min([since, *(one.placed - 1 for one in known.values())]), since - _LONGEST)
        for path, params in self._questions(arg, first):
            async for row in self._listed(path, params):
                rows[str(row.get("orderId"))] = row
        for order_id, order in list(known.items()):
            if order_id not in rows and arg.get("instId") in (None, "default", order.symbol):
                ended = await self._ended(_product(arg), order_id, order.symbol)
                rows |= {order_id: ended} if ended else {}
        return list(rows.values())

    def _questions(self, arg: Mapping[str, Any], since: float) -> Iterable[_Question]:
        return (_v3 if self._unified else _v2)(arg, str(int(since * 1000)))

    async def _listed(self, path: str, params: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield the orders of a list, page after page."""
        for _ in range(_PAGES):
            answer = await self._asked(path, params)
            rows = _rows(answer)
            for row in rows:
                yield row
            data = answer.get("data")
            cursor = data.get("cursor") if isinstance(data, Mapping) else None
            if len(rows) < int(_MOST) or (self._unified and not cursor):
                return
            params = {**params, **({"cursor": cursor} if self._unified else {"idLessThan": rows[-1].get("orderId")})}

    async def _ended(self, product: str, order_id: str, symbol: str) -> dict[str, Any] | None:
        """Return an order that was open and stands in no list; None where it is gone."""
        path, params = _one(product, order_id, symbol)
        try:
            answer = await self._asked(path, params)
        except BitgetApiError as error:
            if error.api_code not in _GONE:
                raise
            self._open[product].pop(order_id, None)
            return None
        data = answer.get("data")
        row = data[0] if isinstance(data, list) and data else data
        return row if isinstance(row, dict) else None

    def _note(self, product: str, row: Mapping[str, Any]) -> None:
        status = row.get("orderStatus") or row.get("status") or row.get("state")
        known, order_id = self._open.setdefault(product, {}), str(row.get("orderId"))
        if status in _OPEN:
            placed = str(row.get("cTime") or row.get("createdTime"))
            at = int(placed) / 1000 if placed.isdecimal() and len(placed) < 16 else inf
            known[order_id] = _Order(str(row.get("instId") or row.get("symbol")), at)
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


def _one(product: str, order_id: str, symbol: str) -> _Question:
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
