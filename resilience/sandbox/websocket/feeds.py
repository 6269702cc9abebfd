"""Produces the numbered updates of channels, and the order books that they change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ..exchange.order_rules import PRICES
from . import book_rows
from .market_rows import market_row
from .topics import channel_of, is_order_book

__all__ = ["Feed", "Feeds", "key_of"]


def key_of(arg: Mapping[str, Any]) -> str:
    """Return a dictionary key for an arg; the order of its fields does not matter."""
    return json.dumps(arg, sort_keys=True)


class Feed:
    """The updates of one arg.

    Attributes:
        last: the number of the last update.
        interval: sandbox seconds between two updates; 0 if the feed is stopped or was never started.
        due: sandbox time of the next update.
    """

    def __init__(self, arg: Mapping[str, Any]) -> None:
        self.arg = dict(arg)
        self.last, self.interval, self.due = 0, 0.0, 0.0

    def next(self, now: float) -> tuple[str, list[Any]]:
        """Make the next update and return its action and its rows; `now` is the exchange's Unix time."""
        self.last += 1
        stamp = str(int(now * 1000))
        if is_order_book(self.arg):
            return "update", [book_rows.update_row(self._version, self._price, self.last, stamp)]
        channel = channel_of(self.arg)
        depth = channel.removeprefix("books")
        if depth != channel:
            return "snapshot", [book_rows.full_row(self._version, self._price, self.last, stamp, int(depth))]
        # Tickers are sent as snapshots, everything else as updates, as Bitget does.
        action = "snapshot" if channel == "ticker" else "update"
        return action, [market_row(self._version, self.arg, self.last, stamp)]

    def snapshot(self, now: float) -> list[dict[str, Any]]:
        """Return the full order book as of the last update; `now` is the exchange's Unix time."""
        return [book_rows.full_row(self._version, self._price, self.last, str(int(now * 1000)))]

    @property
    def _version(self) -> str:
        return "v3" if "topic" in self.arg else "v2"

    @property
    def _price(self) -> Decimal:
        return PRICES[str(self.arg.get("instId") or self.arg.get("symbol"))]


class Feeds:
    """The feeds of all args."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}

    def of(self, arg: Mapping[str, Any]) -> Feed:
        """Return the feed of an arg, started or not."""
        return self._feeds.setdefault(key_of(arg), Feed(arg))

    def last(self, arg: Mapping[str, Any]) -> int:
        """Return the number of an arg's last update; 0 before the first."""
        feed = self._feeds.get(key_of(arg))
        return feed.last if feed else 0
