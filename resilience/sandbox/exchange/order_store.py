"""Stores the orders of every market: when they were accepted, when they are visible, how they ended.

A client id is reserved only while its order is pending. A market order fills at once, so the same id buys again.
The real exchange behaves in the same way, which is why a client id is not an idempotency key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from .faults import seeded_fraction

__all__ = ["FUTURES", "GENERIC", "SPOT", "Market", "Order", "OrderStore", "RefusedError"]


class RefusedError(Exception):
    """The exchange refuses a request, with a code, a message, an HTTP status and further headers."""

    def __init__(self, code: str, message: str, status: int = 400, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code, message)
        self.headers: Mapping[str, str] = headers or {}
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Market:
    """The rules of one market.

    Attributes:
        name: as `Sandbox.plant` takes it.
        duplicate_id: code and message for a client id whose order is pending; None accepts duplicates.
        not_found: code and message for a cancel of an unknown order.
        forgets_after: age in seconds after which an order is no longer found by its client id.
    """

    name: str
    duplicate_id: tuple[str, str] | None
    not_found: tuple[str, str]
    forgets_after: float = math.inf


SPOT = Market("spot", ("43118", "clientOrderId duplicate"), ("43001", "The order does not exist"), 2 * 3600.0)
FUTURES = Market("mix", ("40786", "Duplicate clientOid"), ("40768", "Order does not exist"))
GENERIC = Market("plain", None, ("43001", "The order does not exist"))


@dataclass(slots=True)
class Order:
    """One order. Times are Unix seconds of the exchange.

    Attributes:
        created: when it was accepted.
        visible_at: when queries begin to find it.
        status: the latest status: live, filled or cancelled.
        status_since: when that status becomes visible; before it, the order is shown as live.
        foreign: whether it was planted; the ledger does not count it.
    """

    market: Market
    order_id: str
    client_id: str
    params: dict[str, str]
    created: float
    visible_at: float
    status: str
    status_since: float
    foreign: bool = False

    def with_planted_fields(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row of an answer; a planted order shows the fields that it was planted with."""
        return {name: self.params.get(name, value) for name, value in row.items()} if self.foreign else row

    def status_at(self, when: float) -> str:
        """Return the status as of an earlier time."""
        return self.status if self.status_since <= when else "live"

    def updated_at(self, when: float) -> float:
        """Return when the status that is shown at `when` began."""
        return self.status_since if self.status_since <= when else self.created


@dataclass
class OrderStore:
    """Orders by order id and by client id. Safe across threads; hold `lock` to make several steps atomic.

    Attributes:
        on_change: called for every order that is accepted (`live`), filled or cancelled, but not for planted ones.
        duplicates: client ids under which more than one order was accepted.
    """

    seed: int = 0
    # Reentrant, because a replace holds it over calls that take it again.
    lock: RLock = field(default_factory=RLock)
    on_change: Callable[[Order, str], None] = lambda _order, _status: None
    duplicates: int = 0
    _orders: dict[str, Order] = field(default_factory=dict)
    _by_client: dict[tuple[str, str], list[Order]] = field(default_factory=dict)

    def add(self, market: Market, params: Mapping[str, str], now: float, *, lag: float = 0.0) -> Order:
        """Accept an order whose parameters were checked; it is visible after `lag` seconds.

        Raises:
            RefusedError: an order with this client id is pending.
        """
        with self.lock:
            client_id = params.get("clientOid") or f"auto-{len(self._orders) + 1}"
            self.check_client_id(market, client_id)
            status = params.get("outcome") or ("filled" if params["orderType"] == "market" else "live")
            order = self.insert(Order(market, "", client_id, dict(params), now, now + lag, status, now))
            # A limit order is only live; a market order is live and then filled. Called under the lock, so that the
            # updates keep their order.
            for step in dict.fromkeys(("live", status)):
                self.on_change(order, step)
            return order

    def insert(self, order: Order) -> Order:
        """Store an order under a new order id, without any check."""
        with self.lock:
            earlier = self._by_client.setdefault((order.market.name, order.client_id), [])
            # The order id is drawn, not counted: the same seed gives the same ids however threads interleave.
            kind = "order" if order.market is SPOT else f"order:{order.market.name}"
            order.order_id = str(int(seeded_fraction(self.seed, kind, order.client_id, len(earlier)) * 10**17) + 10**17)
            # Counted here, so that a drill may read it after each of many orders.
            self.duplicates += not order.foreign and sum(not other.foreign for other in earlier) == 1
            earlier.append(order)
            self._orders[order.order_id] = order
        return order

    def check_client_id(self, market: Market, client_id: str) -> None:
        """Refuse a client id whose order is pending.

        Raises:
            RefusedError: it is pending, and the market rejects duplicates.
        """
        with self.lock:
            pending = any(o.status == "live" for o in self._by_client.get((market.name, client_id), ()))
        if pending and market.duplicate_id:
            raise RefusedError(*market.duplicate_id)

    def find(self, market: Market, params: Mapping[str, Any], now: float, stale: float = 0.0) -> list[Order]:
        """Return the order, if any, that a query by order id or client id finds.

        Args:
            market: only orders of this market are found.
            params: `orderId`, or else `clientOid`.
            now: the exchange's Unix time.
            stale: seconds by which the query is behind.

        Raises:
            RefusedError: there is neither an order id nor a client id.
        """
        order_id, client_id = params.get("orderId"), params.get("clientOid")
        if not order_id and not client_id:
            raise RefusedError("400172", "Parameter verification failed: orderId or clientOid")
        if not order_id:
            # The latest order under the id: a market order frees its client id when it fills.
            return self.find_by_client_id(market, client_id, now, stale)[-1:]
        with self.lock:
            orders = [self._orders[str(order_id)]] if str(order_id) in self._orders else []
        return _visible(market, orders, now, stale)

    def find_by_client_id(self, market: Market, client_id: Any, now: float, stale: float = 0.0) -> list[Order]:
        """Return every order under a client id that a query finds, oldest first."""
        with self.lock:
            # Copied under the lock, filtered without it.
            orders = list(self._by_client.get((market.name, str(client_id)), ()))
        remembered = [order for order in orders if now - order.created <= market.forgets_after]
        return _visible(market, remembered, now, stale)

    def list_visible(self, market: Market, now: float) -> list[Order]:
        """Return the visible orders of a market, newest first."""
        with self.lock:
            orders = list(self._orders.values())
        return _visible(market, orders[::-1], now)

    def cancel(self, order: Order, now: float, lag: float = 0.0) -> None:
        """Cancel an order; its new status is visible after `lag` seconds.

        Raises:
            RefusedError: it is finished already.
        """
        with self.lock:
            if order.status != "live":
                raise RefusedError("22001", "No order to cancel")
            order.status, order.status_since = "cancelled", now + lag
            self.on_change(order, "cancelled")

    def amend(self, order: Order, change: Mapping[str, str], now: float) -> None:
        """Change parameters of an order, which keeps its ids.

        Raises:
            RefusedError: it is finished.
        """
        with self.lock:
            if order.status != "live":
                raise RefusedError("22001", "No order to change")
            # Replaced and not changed in place: an answer that is being written keeps what it has read.
            order.params, order.status_since = {**order.params, **change}, now

    def ledger_rows(self) -> list[dict[str, Any]]:
        """Return one row per market and client id: how many orders were accepted under it, planted ones left out.

        `open` says how many of them are open, and `price` is that of the last one; None for a market order.
        """
        with self.lock:
            own_orders = [[order for order in orders if not order.foreign] for orders in self._by_client.values()]
        rows = [
            {
                "clientOid": orders[0].client_id,
                "orderId": orders[0].order_id,
                "symbol": orders[0].params["symbol"],
                "executions": len(orders),
                "open": sum(order.status == "live" for order in orders),
                "price": orders[-1].params.get("price"),
            }
            for orders in own_orders
            if orders
        ]
        return sorted(rows, key=lambda row: str(row["clientOid"]))

    def clear(self) -> None:
        """Remove every order."""
        with self.lock:
            self._orders.clear()
            self._by_client.clear()
            self.duplicates = 0


def _visible(market: Market, orders: list[Order], now: float, stale: float = 0.0) -> list[Order]:
    return [o for o in orders if o.market is market and o.visible_at <= now and o.created <= now - stale]
