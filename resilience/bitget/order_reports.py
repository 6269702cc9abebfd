"""Reports the orders in an update of a private stream to the writes that are uncertain just now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from .._core.call.open_writes import OPEN_WRITES
from .._drivers.system_clock import SystemClock
from ..streams.session.stream_failure import Gap

__all__ = ["REPORTING_CHANNELS", "report_orders", "reporting"]

REPORTING_CHANNELS = frozenset({"fill", "order", "orders", "orders-crossed", "orders-isolated"})
"""The channels of V2 and the topics of V3 whose rows tell the client id of an order that exists."""

FetchMissed = Callable[[Gap], Awaitable[Iterable[Any]]]


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


def reporting(fetch: FetchMissed, account: str | None) -> FetchMissed:
    """Return a function that fetches what a gap hid, and reports the orders among it."""

    async def fetch_and_report(gap: Gap) -> list[Any]:
        updates = list(await fetch(gap))
        for update in updates:
            arg = update.get("arg") if isinstance(update, Mapping) else None
            if isinstance(arg, Mapping) and (arg.get("channel") or arg.get("topic")) in REPORTING_CHANNELS:
                report_orders(update, account)
        return updates

    return fetch_and_report
