"""Reads a damaged file row by row, so that a row that SQLite cannot read keeps no other from being read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .outbox_file import OutboxFile, OutboxFileError, OutboxLockedError
from .row import COLUMNS

__all__ = ["read_rows"]

_LIST = ", ".join(COLUMNS)


def read_rows(file: OutboxFile, where: str, values: Sequence[Any]) -> list[Sequence[Any]]:
    """Return the rows that a condition selects, oldest first, in the order of `COLUMNS`.

    Of a row that cannot be read the key and the operation are returned, which the index has, and None for the rest.

    Raises:
        OutboxFileError: no row can be read.
    """
    try:
        return list(file.execute(f"SELECT {_LIST} FROM writes WHERE {where} ORDER BY changed_at, rowid", values)[0])
    except OutboxLockedError:
        raise
    except OutboxFileError as error:
        try:
            index, _ = file.execute("SELECT rowid, key, operation FROM writes ORDER BY rowid")
        except OutboxFileError:
            raise error from None
    return _read_each(file, index, where, values)


def _read_each(
    file: OutboxFile, index: Iterable[Sequence[Any]], where: str, values: Sequence[Any]
) -> list[Sequence[Any]]:
    """Read the rows of an index (rowid, key, operation) one by one; of a damaged one return what the index has."""
    rows: list[Sequence[Any]] = []
    for rowid, key, operation in index:
        try:
            rows += file.execute(f"SELECT {_LIST} FROM writes WHERE rowid = ? AND ({where})", (rowid, *values))[0]
        except OutboxLockedError:
            raise
        except OutboxFileError:
            rows.append((key, operation, *[None] * (len(COLUMNS) - 2)))
    return rows
