"""Produces the numbered updates of channels, and the order books that they change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..exchange.order_rules import PRICES
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

    def next(self) -> tuple[str, list[dict[str, Any]]]:
        """Make the next update and return its action and its rows."""
        self.last += 1
        if is_order_book(self.arg):
            return "update", [self._book_row(self.last, self.last - 1)]
        # Tickers are sent as snapshots, everything else as updates, as Bitget does.
        action = "snapshot" if channel_of(self.arg) == "ticker" else "update"
        return action, [{"seq": self.last, **self._ticker_price()}]

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the full order book as of the last update."""
        return [self._book_row(self.last, 0)]

    def _book_row(self, seq: int, previous: int) -> dict[str, Any]:
        price = PRICES[str(self.arg.get("instId") or self.arg.get("symbol"))]
        # The sizes depend on the number, so that two consecutive books differ.
        sides = {"bids": [[str(price - 1), str(1 + seq % 7)]], "asks": [[str(price + 1), str(1 + seq % 5)]]}
        if self.arg.get("topic"):
            sides = {"b": sides["bids"], "a": sides["asks"]}
        return {**sides, "seq": seq, "pseq": previous}

    def _ticker_price(self) -> dict[str, str]:
        symbol = str(self.arg.get("instId") or self.arg.get("symbol") or "")
        if channel_of(self.arg) != "ticker" or symbol not in PRICES:
            return {}
        return {("lastPrice" if self.arg.get("topic") else "lastPr"): str(PRICES[symbol])}


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
