"""Reports the orders in an update of a private stream to the writes that are uncertain just now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.call.open_writes import OPEN_WRITES
from .._drivers.system_clock import SystemClock

__all__ = ["ORDER_CHANNELS", "report_orders"]

ORDER_CHANNELS = frozenset({"order", "orders", "orders-crossed", "orders-isolated"})
"""The channels of V2 and the topic of V3 whose rows are orders with their client ids."""


def report_orders(update: Mapping[str, Any], account: str | None) -> None:
    """Report every order of an update that has a client id.

    Args:
        update: the frame, whose `data` lists orders.
        account: the account of the stream.
    """
    rows = update.get("data")
    for row in rows if isinstance(rows, list) else ():
        client_id = row.get("clientOid") if isinstance(row, Mapping) else None
        if client_id:
            OPEN_WRITES.report(str(client_id), row, account, at=SystemClock.monotonic())
