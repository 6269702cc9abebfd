"""Holds the state of the exchange: the orders of every market and the ledger. It has no sockets and no clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .order_rules import (
    check_futures_order,
    check_generic_order,
    check_spot_order,
    check_venue_order,
    clean_params,
)
from .order_store import FUTURES, GENERIC, SPOT, Market, Order, OrderStore, RefusedError

__all__ = ["Exchange"]


class Exchange:
    """Accepts and remembers orders. Safe across threads. `now` is always the exchange's Unix time in seconds.

    Attributes:
        hedge: whether the futures account is in hedge mode.
        time_scale: seconds here per second of the real exchange, for how long orders are remembered.
        orders: the orders of every market.
        restarted_at: Unix time of the last restart of the service that answers queries.
    """

    def __init__(self, seed: int = 0, *, hedge: bool = False, time_scale: float = 1.0) -> None:
        self.hedge, self.time_scale = hedge, time_scale
        self.orders = OrderStore(seed)
        self.restarted_at = -math.inf

    def place(self, market: Market, params: Mapping[str, Any], now: float, lag: float = 0.0) -> Order:
        """Accept an order, which becomes visible to queries after `lag` seconds.

        Raises:
            RefusedError: a parameter is missing or wrong, funds are missing, or the client id is pending.
        """
        return self.orders.add(market, self.check_order(market, params), now, lag=lag)

    def cancel(self, market: Market, params: Mapping[str, Any], now: float, lag: float = 0.0) -> Order:
        """Cancel a resting order.

        Raises:
            RefusedError: the order does not exist, or is finished already.
        """
        order = self.find_resting(market, params, now)
        self.orders.cancel(order, now, lag)
        return order

    def replace(
        self, market: Market, params: Mapping[str, Any], change: Mapping[str, Any], now: float, lag: float = 0.0
    ) -> Order:
        """Cancel a resting order and accept a changed copy of it; if either fails, nothing changes.

        Raises:
            RefusedError: the order does not exist, the new client id is taken, or the new order is refused.
        """
        # One lock for all steps: no other request may see the old order cancelled and the new one missing.
        with self.orders.lock:
            if change.get("clientOid"):
                self.orders.check_client_id(market, str(change["clientOid"]))
            old = self.find_resting(market, params, now)
            # Checked before the cancel: an invalid change must leave the old order as it is.
            fresh = self.check_order(market, {**old.params, "clientOid": None, **change})
            self.orders.cancel(old, now)
            return self.orders.add(market, fresh, now, lag=lag)

    def plant(self, market: Market, client_id: str, params: Mapping[str, Any], now: float) -> Order:
        """Insert a foreign order under a client id, without checking it.

        Raises:
            ValueError: the status is none of pending, filled and cancelled.
        """
        fields = clean_params(params)
        created = now - float(fields.pop("age", 0.0))
        status = fields.pop("status", "filled")
        # Accepts both spellings that Bitget uses, and the word of the documentation for a resting order.
        status = {"pending": "live", "canceled": "cancelled"}.get(status, status)
        if status not in ("live", "filled", "cancelled"):
            raise ValueError(f"status: expected pending, filled or cancelled, got {status!r}")
        # A resting order needs a price; a filled one is a market order.
        defaults = {"orderType": "limit", "price": "100"} if status == "live" else {"orderType": "market"}
        fields = {"symbol": "BTCUSDT", "side": "buy", "size": "50", **defaults, **fields}
        return self.orders.insert(Order(market, "", client_id, fields, created, created, status, created, foreign=True))

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """Return the truth: one row per client id, with the number of its executions."""
        return {"orders": self.orders.ledger_rows()}

    def check_order(self, market: Market, params: Mapping[str, Any]) -> dict[str, str]:
        """Return an order's parameters as strings.

        Raises:
            RefusedError: a parameter is missing or wrong, or funds are missing.
        """
        if market is FUTURES:
            return check_futures_order(params, hedge=self.hedge)
        if market is SPOT:
            return check_spot_order(params)
        return check_generic_order(params) if market is GENERIC else check_venue_order(params)

    def find_resting(self, market: Market, params: Mapping[str, Any], now: float) -> Order:
        """Return the order that a cancel names.

        Raises:
            RefusedError: no such order is visible, or it is finished.
        """
        orders = self.orders.find(market, params, now)
        if not orders:
            raise RefusedError(*market.not_found)
        if orders[0].status != "live":
            raise RefusedError("22001", "No order to cancel")
        return orders[0]
