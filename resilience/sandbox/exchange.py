"""The exchange's truth: orders, balances and the ledger. No sockets and no clock: `now` comes as an argument.

A client id is taken only while its order is pending: a market order fills at once, so the same id
buys again. That is how the real exchange behaves, and what makes a client id no idempotency key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from threading import Lock
from typing import Any

from .faults import share

__all__ = ["Exchange", "Order", "RefusedError"]

_PRICES = {"BTCUSDT": Decimal(60_000), "ETHUSDT": Decimal(3_000), "SOLUSDT": Decimal(150)}
_BALANCE = Decimal(1_000_000_000)
_LEAST_USDT = Decimal(1)
_BLIND_AFTER = 2 * 3600.0  # seconds after which a query by client id finds nothing


class RefusedError(Exception):
    """The exchange refuses a request: its code and its words."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(slots=True)
class Order:
    """One accepted order. Times are Unix seconds."""

    order_id: str
    client_id: str
    params: dict[str, str]
    created: float
    visible_at: float
    status: str

    def shown(self) -> dict[str, str]:
        """Return the order as the API shows it."""
        filled = self.status == "filled"
        return {
            "orderId": self.order_id,
            "clientOid": self.client_id,
            "symbol": self.params["symbol"],
            "side": self.params["side"],
            "orderType": self.params["orderType"],
            "force": self.params.get("force", ""),
            "size": self.params["size"],
            "price": self.params.get("price", ""),
            "status": self.status,
            "baseVolume": self.params["size"] if filled else "0",
            "cTime": str(int(self.created * 1000)),
            "uTime": str(int(self.created * 1000)),
        }


@dataclass
class Exchange:
    """Orders by id, and how often each client id was accepted. Safe across threads."""

    seed: int = 0
    orders: dict[str, Order] = field(default_factory=dict)
    _by_client: dict[str, list[Order]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def place(self, params: Mapping[str, Any], now: float, *, visible_after: float = 0.0) -> Order:
        """Accept an order.

        Raises:
            RefusedError: a parameter is missing or wrong, funds are missing, or the client id is pending.
        """
        clean = _checked(params)
        with self._lock:
            client_id = clean.get("clientOid") or f"auto-{len(self.orders) + 1}"
            past = self._by_client.setdefault(client_id, [])
            if any(order.status == "live" for order in past):
                raise RefusedError("43118", "clientOrderId duplicate")
            number = int(share(self.seed, "order", client_id, len(past)) * 10**17) + 10**17
            status = "filled" if clean["orderType"] == "market" else "live"
            order = Order(str(number), client_id, clean, now, now + visible_after, status)
            past.append(order)
            self.orders[order.order_id] = order
            return order

    def find(self, params: Mapping[str, Any], now: float) -> list[Order]:
        """Return the orders that a query by order id or client id sees now."""
        order_id, client_id = params.get("orderId"), params.get("clientOid")
        if not order_id and not client_id:
            raise RefusedError("400172", "Parameter verification failed: orderId or clientOid")
        with self._lock:
            if order_id:
                known = [self.orders[order_id]] if order_id in self.orders else []
            else:
                known = [o for o in self._by_client.get(str(client_id), []) if now - o.created <= _BLIND_AFTER]
        return [order for order in known if order.visible_at <= now][-1:]

    def cancel(self, params: Mapping[str, Any], now: float) -> Order:
        """Cancel a resting order.

        Raises:
            RefusedError: there is none, or it is finished already.
        """
        found = self.find(params, now)
        if not found:
            raise RefusedError("43001", "The order does not exist")
        with self._lock:
            if found[0].status != "live":
                raise RefusedError("22001", "No order to cancel")
            found[0].status = "cancelled"
        return found[0]

    def pending(self, symbol: str | None, now: float) -> list[Order]:
        """Return the resting orders that are visible, newest first."""
        with self._lock:
            known = list(self.orders.values())
        live = [o for o in known if o.status == "live" and o.visible_at <= now]
        return [o for o in reversed(live) if symbol in (None, "", o.params["symbol"])]

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """Return the truth: one row a client id, with how often it was accepted."""
        with self._lock:
            rows = [
                {
                    "clientOid": one,
                    "orderId": past[0].order_id,
                    "symbol": past[0].params["symbol"],
                    "executions": len(past),
                }
                for one, past in self._by_client.items()
                if past
            ]
        return {"orders": sorted(rows, key=lambda row: str(row["clientOid"]))}

    def reset(self) -> None:
        """Forget every order."""
        with self._lock:
            self.orders.clear()
            self._by_client.clear()

    @staticmethod
    def ticker(symbol: str | None) -> list[dict[str, str]]:
        """Return the prices, which never move."""
        if symbol and symbol not in _PRICES:
            raise RefusedError("40034", f"Parameter {symbol} does not exist")
        chosen = {symbol: _PRICES[symbol]} if symbol else _PRICES
        return [{"symbol": name, "lastPr": str(price)} for name, price in chosen.items()]

    @staticmethod
    def balance(coin: str | None) -> list[dict[str, str]]:
        """Return the balances, which are ample."""
        coins = [coin] if coin else ["BTC", "ETH", "SOL", "USDT"]
        return [{"coin": one, "available": str(_BALANCE), "frozen": "0", "locked": "0"} for one in coins]


def _checked(params: Mapping[str, Any]) -> dict[str, str]:
    clean = {str(key): str(value) for key, value in params.items() if value is not None}
    needed = ["symbol", "side", "orderType", "size"]
    if clean.get("orderType") == "limit":
        needed += ["price", "force"]
    for name in needed:
        if not clean.get(name):
            raise RefusedError("400172", f"Parameter verification failed: {name}")
    if clean["symbol"] not in _PRICES:
        raise RefusedError("40034", f"Parameter {clean['symbol']} does not exist")
    if clean["side"] not in ("buy", "sell") or clean["orderType"] not in ("limit", "market"):
        raise RefusedError("40017", "Parameter verification failed side or orderType")
    size, price = _number(clean, "size"), _number(clean, "price") if clean.get("price") else _PRICES[clean["symbol"]]
    quote = size if clean["orderType"] == "market" and clean["side"] == "buy" else size * price
    if quote < _LEAST_USDT:
        raise RefusedError("45110", f"less than the minimum amount {_LEAST_USDT} USDT")
    if quote > _BALANCE:
        raise RefusedError("43012", "Insufficient balance")
    if len(clean.get("clientOid", "")) > 50:
        raise RefusedError("40304", "clientOid is too long")
    return clean


def _number(clean: Mapping[str, str], name: str) -> Decimal:
    try:
        number = Decimal(clean[name])
    except InvalidOperation:
        raise RefusedError("40017", f"Parameter verification failed {name}") from None
    if not number.is_finite() or number <= 0:
        raise RefusedError("40017", f"Parameter verification failed {name}")
    return number
