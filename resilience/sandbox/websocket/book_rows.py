"""Builds the rows of order books, in the shapes of V2 (with a checksum) and V3 (with the number of the row before).

A book is a function of its number: 30 levels on each side, of which each update changes one. A level that an update
removes comes back with a later one. So a lost update leaves a book that is wrong until the same level changes again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from zlib import crc32

__all__ = ["full_row", "update_row"]

_LEVELS, _MOVING = 30, 8
_CHECKED = 25  # levels of each side in a checksum
_STEP = Decimal("0.10")

_Level = list[str]


def full_row(version: str, price: Decimal, seq: int, stamp: str, depth: int = _LEVELS) -> dict[str, Any]:
    """Return the best levels of the book with this number; the price is between its sides."""
    bids, asks = (_side(price, sign, seq)[:depth] for sign in (-1, 1))
    # Bitget computes no checksum of a book that is sent in full each time.
    return _row(version, bids, asks, _checksum(price, seq) if depth == _LEVELS else 0, seq, 0, stamp)


def update_row(version: str, price: Decimal, seq: int, stamp: str) -> dict[str, Any]:
    """Return what the update with this number changes."""
    bid, ask = (_level(price, sign, seq % _MOVING, seq) for sign in (-1, 1))
    return _row(version, [bid], [ask], _checksum(price, seq), seq, seq - 1, stamp)


def _row(
    version: str, bids: list[_Level], asks: list[_Level], checksum: int, seq: int, previous: int, stamp: str
) -> dict[str, Any]:
    if version == "v3":
        return {"a": asks, "b": bids, "checksum": 0, "pseq": previous, "seq": seq, "ts": stamp}
    return {"asks": asks, "bids": bids, "checksum": checksum, "seq": seq, "ts": stamp}


def _level(price: Decimal, sign: int, index: int, seq: int) -> _Level:
    """Return a level as of a number; its size is 0 while it is removed."""
    changed_by = seq - (seq - index) % _MOVING if index < _MOVING else -1
    size = "5.50" if changed_by < 1 else "0" if changed_by // _MOVING % 3 == 2 else f"{1 + changed_by % 7}.{index}0"
    return [str(price + sign * _STEP * (index + 1)), size]


def _side(price: Decimal, sign: int, seq: int) -> list[_Level]:
    levels = (_level(price, sign, index, seq) for index in range(_LEVELS))
    return [level for level in levels if level[1] != "0"]


def _checksum(price: Decimal, seq: int) -> int:
    """Return the checksum of a book: the CRC32 of its best levels, a bid and an ask in turn, as a signed number."""
    bids, asks = _side(price, -1, seq), _side(price, 1, seq)
    texts = [":".join(side[index]) for index in range(_CHECKED) for side in (bids, asks) if index < len(side)]
    value = crc32(":".join(texts).encode())
    return value - (1 << 32) if value >> 31 else value
