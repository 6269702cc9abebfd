"""Writes of the drills of venues: new orders, and amendments and cancels of orders that were placed before the faults.

What became of them is counted in the ledger: a cancel was executed if its order is no longer open, and an amendment
as often as an order of it is open. An order that is open beside the one that replaces it counts as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from .sandbox_address import SandboxAddress

__all__ = ["KINDS", "SYMBOLS", "Writes", "counted"]

KINDS = ("market", "limit", "amend", "cancel")
"""New market orders, new limit orders, amendments and cancels of limit orders."""
SYMBOLS = {"spot": "BTC/USDT", "swap": "BTC/USDT:USDT"}
PRICE, NEW_PRICE = 50_000, 49_000  # below the market, so that nothing fills


class Call(NamedTuple):
    """A call of one of ccxt's unified methods."""

    method: str
    args: tuple[Any, ...]


class Writes(NamedTuple):
    """The writes of one row of the table: the venue, the market, and which of `KINDS`."""

    exchange: SandboxAddress
    market: str
    kind: str

    def place(self, client_id: str) -> Call:
        """Return the call that places an order."""
        is_market = self.kind == "market"
        amount = 50 if (self.exchange.venue, self.market, self.kind) == ("bitget", "spot", "market") else 0.01
        order = (SYMBOLS[self.market], "market" if is_market else "limit", "buy", amount, None if is_market else PRICE)
        return Call("create_order", (*order, {"clientOrderId": client_id}))

    @property
    def needs_orders(self) -> bool:
        """Return whether the orders have to be there before."""
        return self.kind in ("amend", "cancel")

    def of(self, client_id: str, number: Any) -> Call:
        """Return the call that is drilled, for the order with a client id and with the venue's own id."""
        symbol = SYMBOLS[self.market]
        if self.kind == "cancel":
            return Call("cancel_order", (number, symbol))
        if self.kind == "amend":
            return Call("edit_order", (number, symbol, "limit", "buy", 0.01, NEW_PRICE, self._new_id(client_id)))
        return self.place(client_id)

    def _new_id(self, client_id: str) -> dict[str, str]:
        """Return the client id of the order that replaces another, where the venue does not change it in place."""
        venue = self.exchange.venue
        if venue == "bitget":
            return {"newClientOid": _replacing(client_id)}
        return {"clientOrderId": _replacing(client_id)} if (venue, self.market) == ("binance", "spot") else {}


def _replacing(client_id: str) -> str:
    return f"{client_id}b"


def counted(kind: str, ids: Iterable[str], ledger: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how often the write of each client id was executed, from the rows of the sandbox's ledger."""
    rows = {row["clientOid"]: row for row in ledger}
    return {client_id: _executions(kind, client_id, rows) for client_id in ids}


def _executions(kind: str, client_id: str, rows: Mapping[str, Mapping[str, Any]]) -> int:
    found = [rows[name] for name in (client_id, _replacing(client_id)) if name in rows]
    if kind == "cancel":
        return int(not any(row["open"] for row in found))
    if kind != "amend":
        return sum(int(row["executions"]) for row in found)
    is_amended = any(row["open"] and Decimal(row["price"]) == NEW_PRICE for row in found)
    return sum(int(row["open"]) for row in found) if is_amended else 0
