"""Reads the order books of Bitget's V2 sockets with their checksum, and computes it.

The checksum is the CRC32 of the first 25 levels, a bid and an ask in turn, as `price:size` joined by colons. Bitget
writes it as a signed number, and 0 where it computes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any
from zlib import crc32

from .._core.classify.code_and_status import code_of
from ..streams.session.order_book import BookChange, Level

__all__ = ["book_changes", "book_checksum"]

_DEPTH = 25
_UNSIGNED = 0xFFFF_FFFF


def book_checksum(bids: Sequence[Level], asks: Sequence[Level]) -> int:
    """Return the checksum of a book's best levels, as an unsigned number."""
    pairs = zip_longest(bids[:_DEPTH], asks[:_DEPTH])
    return crc32(":".join(text for pair in pairs for level in pair if level is not None for text in level).encode())


def book_changes(rows: Any) -> tuple[BookChange, ...]:
    """Return the changes in the rows of an update of an order book.

    Raises:
        ValueError: a level has no price or no size.
    """
    rows = rows if isinstance(rows, list) else []
    return tuple(
        BookChange(_levels(row.get("bids")), _levels(row.get("asks")), _checksum_in(row), book_checksum, _DEPTH)
        for row in rows
        if isinstance(row, Mapping) and ("bids" in row or "asks" in row)
    )


def _levels(rows: Any) -> list[Level]:
    if not isinstance(rows, list):
        return []
    if not all(isinstance(row, list) and len(row) >= 2 for row in rows):
        raise ValueError("a level of an order book without a price or a size")
    return [(str(row[0]), str(row[1])) for row in rows]


def _checksum_in(row: Mapping[str, Any]) -> int | None:
    """Return the checksum of a row as an unsigned number; None if there is none."""
    text = code_of(row.get("checksum"))
    if not text or not text.removeprefix("-").isdecimal():
        return None
    return int(text) & _UNSIGNED or None
