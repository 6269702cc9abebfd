"""The exchange's truth: orders of every market and the ledger. No sockets and no clock: `now` comes as an argument."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .order_rules import checked_mix, checked_plain, checked_spot, texts
from .order_store import MIX, PLAIN, Book, Market, Order, RefusedError

__all__ = ["Exchange"]


class Exchange:
    """What the exchange accepts and remembers. Safe across threads.

    Attributes:
        hedge: whether the futures account holds long and short positions apart.
        book: the orders.
    """

    def __init__(self, seed: int = 0, *, hedge: bool = False) -> None:
        self.hedge = hedge
        self.book = Book(seed)

    def place(self, market: Market, params: Mapping[str, Any], now: float, lag: float = 0.0) -> Order:
        """Accept an order.

        Raises:
            RefusedError: a parameter is missing or wrong, funds are missing, or the client id is pending.
        """
        return self.book.add(market, self.checked(market, params), now, lag=lag)

    def cancel(self, market: Market, params: Mapping[str, Any], now: float, lag: float = 0.0) -> Order:
        """Cancel a resting order.

        Raises:
            RefusedError: there is none, or it is finished already.
        """
        order = self.resting(market, params, now)
        self.book.end(order, now, lag)
        return order

    def replace(
        self, market: Market, params: Mapping[str, Any], change: Mapping[str, Any], now: float, lag: float = 0.0
    ) -> Order:
        """Cancel a resting order and accept one like it with a change, or neither.

        Raises:
            RefusedError: there is none, the new client id is taken, or the new order is refused.
        """
        with self.book.held:
            if change.get("clientOid"):
                self.book.check_free(market, str(change["clientOid"]))
            old = self.resting(market, params, now)
            fresh = self.checked(market, {**old.params, "clientOid": None, **change})
            self.book.end(old, now)
            return self.book.add(market, fresh, now, lag=lag)

    def plant(self, market: Market, client_id: str, params: Mapping[str, Any], now: float) -> Order:
        """Put somebody else's order under a client id; it is checked for nothing."""
        told = texts(params)
        created = now - float(told.pop("age", 0.0))
        status = told.pop("status", "filled")
        status = {"pending": "live", "canceled": "cancelled"}.get(status, status)
        if status not in ("live", "filled", "cancelled"):
            raise ValueError(f"status: expected pending, filled or cancelled, got {status!r}")
        usual = {"orderType": "limit", "price": "100"} if status == "live" else {"orderType": "market"}
        whole = {"symbol": "BTCUSDT", "side": "buy", "size": "50", **usual, **told}
        return self.book.put(Order(market, "", client_id, whole, created, created, status, created, foreign=True))

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """Return the truth: one row a client id, with how often it was accepted."""
        return {"orders": self.book.rows()}

    def checked(self, market: Market, params: Mapping[str, Any]) -> dict[str, str]:
        """Return an order's parameters as texts.

        Raises:
            RefusedError: one is missing or wrong, or funds are missing.
        """
        if market is MIX:
            return checked_mix(params, hedge=self.hedge)
        return checked_plain(params) if market is PLAIN else checked_spot(params)

    def resting(self, market: Market, params: Mapping[str, Any], now: float) -> Order:
        """Return the order that is to be cancelled.

        Raises:
            RefusedError: there is none that can be seen, or it is finished.
        """
        found = self.book.find(market, params, now)
        if not found:
            raise RefusedError(*market.gone)
        if found[0].status != "live":
            raise RefusedError("22001", "No order to cancel")
        return found[0]
