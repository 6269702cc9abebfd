"""Keeps the order books of one connection, and checks each change of them by the checksum that the venue sends.

A checksum is made of the texts that the venue sent, so the texts are kept: `0.50` is not `0.5`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

__all__ = ["BookChange", "BookChecks", "Level"]

Level = tuple[str, str]
"""A price and a size, as the venue wrote them; a size of zero removes the price."""


@dataclass(frozen=True, slots=True)
class BookChange:
    """The levels that an update of an order book sets.

    Attributes:
        bids, asks: the levels, in any order.
        checksum: the venue's checksum of the book after the change; None if it sent none.
        rule: returns the checksum of the best bids and asks, best first.
        depth: how many levels of each side the rule takes.
    """

    bids: Sequence[Level]
    asks: Sequence[Level]
    checksum: int | None
    rule: Callable[[Sequence[Level], Sequence[Level]], int]
    depth: int


class _Side:
    """One side of a book. Prices are kept ascending, those of bids with their sign changed: the best is the first."""

    def __init__(self, *, descending: bool) -> None:
        self._descending = descending
        self._prices: list[Decimal] = []
        self._levels: dict[Decimal, Level] = {}

    def set(self, level: Level) -> None:
        """Set or remove a level.

        Raises:
            ArithmeticError, ValueError: its price or its size is no number.
        """
        price, size = Decimal(level[0]), Decimal(level[1])
        if not (price.is_finite() and size.is_finite()):
            raise ValueError(f"not a price and a size: {level}")
        if self._descending:
            price = price.copy_negate()  # exact: `-price` rounds to the precision of the program's context
        if size.is_zero():
            self._remove(price)
            return
        if price not in self._levels:
            insort(self._prices, price)
        self._levels[price] = level

    def _remove(self, price: Decimal) -> None:
        if self._levels.pop(price, None) is not None:
            del self._prices[bisect_left(self._prices, price)]

    def best(self, depth: int) -> list[Level]:
        """Return the best levels, best first."""
        return [self._levels[price] for price in self._prices[:depth]]


class _Book:
    """The two sides of an order book."""

    def __init__(self) -> None:
        self._bids, self._asks = _Side(descending=True), _Side(descending=False)

    def take(self, change: BookChange) -> bool:
        """Apply a change and return whether the book fits its checksum; a change without one fits."""
        try:
            for side, levels in ((self._bids, change.bids), (self._asks, change.asks)):
                for level in levels:
                    side.set(level)
        except (ArithmeticError, ValueError):
            return False
        if change.checksum is None:
            return True
        return change.rule(self._bids.best(change.depth), self._asks.best(change.depth)) == change.checksum


class BookChecks:
    """The order books of one connection, by subscription. None stands for a book that does not fit any more."""

    def __init__(self) -> None:
        self._books: dict[Hashable, _Book | None] = {}

    def check(
        self, id_: Hashable, changes: Sequence[BookChange], *, snapshot: bool
    ) -> Literal["fits", "broken", "skip"]:
        """Apply changes in order.

        Returns:
            `fits`; `broken` if the book differs from the venue's from now on; `skip` if it did already, until a
            snapshot comes.
        """
        if not snapshot and self._books.get(id_, _NO_BOOK) is None:
            return "skip"
        book = self._books.get(id_)
        if snapshot or book is None:
            book = _Book()
        fits = all(book.take(change) for change in changes)
        self._books[id_] = book if fits else None
        return "fits" if fits else "broken"

    def forget(self, id_: Hashable) -> None:
        """Forget the book of a subscription that was removed."""
        self._books.pop(id_, None)


_NO_BOOK = _Book()
