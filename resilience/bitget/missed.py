"""What a private stream missed, fetched by REST: the orders that changed within a gap, as updates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import Any

from ..streams.failure import Gap

__all__ = ["missed_by_rest"]

_EARLIER = 5.0  # seconds that are fetched twice rather than missed: clocks differ, and pushes are under way
_MOST = "100"


def missed_by_rest(rest: Any, path: str) -> Callable[[Gap], Awaitable[Iterable[dict[str, Any]]]]:
    """Return what fetches the orders of a gap through a REST client, sync (in a thread) or async."""
    asks = _v3 if path.startswith("/v3") else _v2

    async def fetch(gap: Gap) -> list[dict[str, Any]]:
        since = str(int((gap.since - _EARLIER) * 1000))
        found = []
        for arg in gap.args:
            rows: dict[str, dict[str, Any]] = {}
            for where, params in asks(arg, since):
                for row in _rows(await _got(rest, where, params)):
                    rows[str(row.get("orderId"))] = row
            if rows:
                found.append({"action": "missed", "arg": dict(arg), "data": list(rows.values())})
        return found

    return fetch


def _v2(arg: Mapping[str, Any], since: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what to ask for an order channel of V2: open orders, then those that came to an end."""
    if arg.get("channel") != "orders":
        return []
    one = {} if arg.get("instId") in (None, "default") else {"symbol": arg["instId"]}
    if arg["instType"] == "SPOT":
        paths = "/api/v2/spot/trade/unfilled-orders", "/api/v2/spot/trade/history-orders"
    else:
        paths = "/api/v2/mix/order/orders-pending", "/api/v2/mix/order/orders-history"
        one = {**one, "productType": arg["instType"]}
    return [(paths[0], {**one, "limit": _MOST}), (paths[1], {**one, "startTime": since, "limit": _MOST})]


def _v3(arg: Mapping[str, Any], since: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what to ask for the order topic of V3."""
    if arg.get("topic") != "order":
        return []
    found = []
    for category in ("SPOT", "USDT-FUTURES"):
        told = {"category": category, "limit": _MOST}
        found.append(("/api/v3/trade/unfilled-orders", told))
        found.append(("/api/v3/trade/history-orders", {**told, "startTime": since}))
    return found


async def _got(rest: Any, path: str, params: dict[str, Any]) -> Any:
    if iscoroutinefunction(rest.get):
        return await rest.get(path, params)
    return await asyncio.to_thread(rest.get, path, params)


def _rows(envelope: Any) -> list[dict[str, Any]]:
    """Return the orders of an answer: a list, or one inside `entrustedList` or `list`."""
    data = envelope.get("data") if isinstance(envelope, Mapping) else None
    if isinstance(data, Mapping):
        data = data.get("entrustedList") or data.get("list")
    return [one for one in data if isinstance(one, dict)] if isinstance(data, list) else []
