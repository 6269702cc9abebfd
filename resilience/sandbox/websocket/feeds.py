"""Numbered updates without a gap, and the order books that they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..exchange.order_rules import PRICES
from .topics import name_of, takes_updates

__all__ = ["Feed", "Feeds", "key_of"]


def key_of(arg: Mapping[str, Any]) -> str:
    """Return an arg as a key; the order of its fields does not count."""
    return json.dumps(arg, sort_keys=True)


class Feed:
    """The updates of one arg.

    Attributes:
        last: the number of the last one.
        every: sandbox seconds between two; 0 for a feed that has stopped or never began.
        due: sandbox time of the next.
    """

    def __init__(self, arg: Mapping[str, Any]) -> None:
        self.arg = dict(arg)
        self.last, self.every, self.due = 0, 0.0, 0.0

    def next(self) -> tuple[str, list[dict[str, Any]]]:
        """Count one more update and return its action and its rows."""
        self.last += 1
        if takes_updates(self.arg):
            return "update", [self._book(self.last, self.last - 1)]
        action = "snapshot" if name_of(self.arg) == "ticker" else "update"
        return action, [{"seq": self.last, **self._price()}]

    def snapshot(self) -> list[dict[str, Any]]:
        """Return the whole book as of the last update."""
        return [self._book(self.last, 0)]

    def _book(self, seq: int, before: int) -> dict[str, Any]:
        price = PRICES[str(self.arg.get("instId") or self.arg.get("symbol"))]
        sides = {"bids": [[str(price - 1), str(1 + seq % 7)]], "asks": [[str(price + 1), str(1 + seq % 5)]]}
        if self.arg.get("topic"):
            sides = {"b": sides["bids"], "a": sides["asks"]}
        return {**sides, "seq": seq, "pseq": before}

    def _price(self) -> dict[str, str]:
        """Return the price of a ticker, which never moves."""
        symbol = str(self.arg.get("instId") or self.arg.get("symbol") or "")
        if name_of(self.arg) != "ticker" or symbol not in PRICES:
            return {}
        return {("lastPrice" if self.arg.get("topic") else "lastPr"): str(PRICES[symbol])}


class Feeds:
    """The feeds by arg."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}

    def of(self, arg: Mapping[str, Any]) -> Feed:
        """Return the feed of an arg; it need not have begun."""
        return self._feeds.setdefault(key_of(arg), Feed(arg))

    def last(self, arg: Mapping[str, Any]) -> int:
        """Return the number of an arg's last update; 0 before the first."""
        feed = self._feeds.get(key_of(arg))
        return feed.last if feed else 0
