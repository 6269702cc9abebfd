"""Shows an order as of a time, with the numbers that every exchange's answers are made of."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from ..exchange.order_rules import PRICES
from ..exchange.order_store import Market, Order
from ..rest.endpoint import RequestContext

__all__ = ["OrderView", "find_order", "given_id", "list_orders", "remembers", "view"]


class OrderView(NamedTuple):
    """An order as of a time.

    Attributes:
        status: live, filled or cancelled.
        size, filled: in base coins, or in contracts.
        cost: of what was filled, in the quote coin.
        average: the price of what was filled; 0 without any.
        created, updated: Unix time in ms.
    """

    order: Order
    status: str
    size: Decimal
    filled: Decimal
    cost: Decimal
    average: Decimal
    created: int
    updated: int


def view(order: Order, when: float) -> OrderView:
    """Return an order as of a Unix time; it fills at the market's price in one piece, or not at all."""
    status, size = order.status_at(when), Decimal(order.params["size"])
    filled = size if status == "filled" else Decimal(0)
    average = PRICES.get(order.params["symbol"], Decimal(1)) if filled else Decimal(0)
    cost = filled * average * Decimal(order.params.get("unit", "1"))
    times = int(order.created * 1000), int(order.updated_at(when) * 1000)
    return OrderView(order, status, size, filled, cost, average, *times)


def remembers(order: Order, now: float, scale: float, *, unfilled: float, ended: float) -> bool:
    """Return whether an endpoint still finds an order.

    Args:
        order: the order.
        now: the exchange's Unix time.
        scale: seconds here per second of the real exchange.
        unfilled: for how many seconds of the real exchange it finds orders that were cancelled without a fill.
        ended: for how many it finds other orders that have ended.
    """
    if order.status == "live":
        return True
    return now - order.status_since <= scale * (unfilled if order.status == "cancelled" else ended)


def given_id(order: Order) -> str:
    """Return the client id that an order was given; empty if it has only the one that the exchange made up."""
    made_up = order.params.get("clientOid") is None and not order.foreign
    return "" if made_up else order.client_id


def find_order(context: RequestContext, market: Market, order_id: str, client_id: str) -> Order | None:
    """Return the order with an order id, or else the latest with a client id, that a query finds."""
    ids = {"orderId": order_id, "clientOid": client_id}
    orders = context.exchange.orders.find(market, ids, context.now, context.stale)
    return orders[0] if orders else None


def list_orders(context: RequestContext, market: Market, symbol: str | None, *statuses: str) -> list[OrderView]:
    """Return the orders of a symbol, or of all, in these statuses, newest first."""
    views = [view(order, context.now) for order in context.exchange.orders.list_visible(market, context.now)]
    return [one for one in views if one.status in statuses and symbol in (None, "", one.order.params["symbol"])]
