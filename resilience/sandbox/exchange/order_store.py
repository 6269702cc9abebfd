"""The orders of every market: what was accepted, when it could be seen, how it ended.

A client id is taken only while its order is pending: a market order fills at once, so the same id
buys again. That is how the real exchange behaves, and what makes a client id no idempotency key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from .faults import share

__all__ = ["MIX", "PLAIN", "SPOT", "Book", "Market", "Order", "RefusedError"]


class RefusedError(Exception):
    """The exchange refuses a request: its code and its words."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Market:
    """How a market names what it refuses, and the age in seconds after which it forgets client ids.

    Attributes:
        taken: refusal of a client id whose order is pending; None takes it all the same.
    """

    name: str
    taken: tuple[str, str] | None
    gone: tuple[str, str]
    blind_after: float = math.inf


SPOT = Market("spot", ("43118", "clientOrderId duplicate"), ("43001", "The order does not exist"), 2 * 3600.0)
MIX = Market("mix", ("40786", "Duplicate clientOid"), ("40768", "Order does not exist"))
PLAIN = Market("plain", None, ("43001", "The order does not exist"))


@dataclass(slots=True)
class Order:
    """One order. Times are Unix seconds of the exchange.

    Attributes:
        status: what it became: live, filled or cancelled; `at` is since when that can be seen.
        foreign: somebody else's; the ledger does not count it.
    """

    market: Market
    order_id: str
    client_id: str
    params: dict[str, str]
    created: float
    visible_at: float
    status: str
    at: float
    foreign: bool = False

    def shown(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the order as it is shown; somebody else's has whatever fields it was planted with."""
        return {name: self.params.get(name, value) for name, value in row.items()} if self.foreign else row

    def status_at(self, when: float) -> str:
        """Return the status as of an earlier time."""
        return self.status if self.at <= when else "live"


@dataclass
class Book:
    """Orders by id and by client id. Safe across threads; `held` makes several steps one.

    Attributes:
        watch: told of every order of ours as it is accepted (live), filled and cancelled.
    """

    seed: int = 0
    held: RLock = field(default_factory=RLock)
    watch: Callable[[Order, str], None] = lambda _order, _status: None
    _orders: dict[str, Order] = field(default_factory=dict)
    _by_client: dict[tuple[str, str], list[Order]] = field(default_factory=dict)

    def add(self, market: Market, params: Mapping[str, str], now: float, *, lag: float = 0.0) -> Order:
        """Accept an order whose parameters were checked; it is visible after `lag` seconds.

        Raises:
            RefusedError: the client id is pending.
        """
        with self.held:
            client_id = params.get("clientOid") or f"auto-{len(self._orders) + 1}"
            self.check_free(market, client_id)
            status = "filled" if params["orderType"] == "market" else "live"
            order = self.put(Order(market, "", client_id, dict(params), now, now + lag, status, now))
            for step in dict.fromkeys(("live", status)):
                self.watch(order, step)
            return order

    def put(self, order: Order) -> Order:
        """Enter an order under an id of its own."""
        with self.held:
            past = self._by_client.setdefault((order.market.name, order.client_id), [])
            kind = "order" if order.market is SPOT else f"order:{order.market.name}"
            order.order_id = str(int(share(self.seed, kind, order.client_id, len(past)) * 10**17) + 10**17)
            past.append(order)
            self._orders[order.order_id] = order
        return order

    def check_free(self, market: Market, client_id: str) -> None:
        """Refuse a client id whose order is pending.

        Raises:
            RefusedError: it is, and this market minds.
        """
        with self.held:
            pending = any(o.status == "live" for o in self._by_client.get((market.name, client_id), ()))
        if pending and market.taken:
            raise RefusedError(*market.taken)

    def find(self, market: Market, params: Mapping[str, Any], now: float, stale: float = 0.0) -> list[Order]:
        """Return the order, if any, that a query by order id or client id sees; the query is `stale` seconds behind."""
        order_id, client_id = params.get("orderId"), params.get("clientOid")
        if not order_id and not client_id:
            raise RefusedError("400172", "Parameter verification failed: orderId or clientOid")
        if not order_id:
            return self.find_all(market, client_id, now, stale)[-1:]
        with self.held:
            known = [self._orders[str(order_id)]] if str(order_id) in self._orders else []
        return _seen(market, known, now, stale)

    def find_all(self, market: Market, client_id: Any, now: float, stale: float = 0.0) -> list[Order]:
        """Return every order under a client id that a query sees, oldest first."""
        with self.held:
            known = list(self._by_client.get((market.name, str(client_id)), ()))
        young = [order for order in known if now - order.created <= market.blind_after]
        return _seen(market, young, now, stale)

    def listed(self, market: Market, now: float) -> list[Order]:
        """Return the orders of a market that can be seen, newest first."""
        with self.held:
            known = list(self._orders.values())
        return _seen(market, known[::-1], now)

    def end(self, order: Order, now: float, lag: float = 0.0) -> None:
        """Cancel an order, which is seen after `lag` seconds.

        Raises:
            RefusedError: it is finished already.
        """
        with self.held:
            if order.status != "live":
                raise RefusedError("22001", "No order to cancel")
            order.status, order.at = "cancelled", now + lag
            self.watch(order, "cancelled")

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a market and client id: how often our own orders were accepted under it."""
        with self.held:
            mine = [[order for order in past if not order.foreign] for past in self._by_client.values()]
        rows = [
            {
                "clientOid": past[0].client_id,
                "orderId": past[0].order_id,
                "symbol": past[0].params["symbol"],
                "executions": len(past),
            }
            for past in mine
            if past
        ]
        return sorted(rows, key=lambda row: str(row["clientOid"]))

    def clear(self) -> None:
        """Forget every order."""
        with self.held:
            self._orders.clear()
            self._by_client.clear()


def _seen(market: Market, orders: list[Order], now: float, stale: float = 0.0) -> list[Order]:
    return [o for o in orders if o.market is market and o.visible_at <= now and o.created <= now - stale]
