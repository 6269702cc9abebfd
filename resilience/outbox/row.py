"""Defines a row of an outbox, and reads it from SQLite: a damaged one is a row too, which says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

from .argument_codec import decode_arguments

__all__ = ["COLUMNS", "COLUMNS_OF_0_1", "Row", "RowState", "is_settled", "read_row"]

RowState = Literal["open", "done", "failed"]
"""In progress or uncertain; executed and reported as done; provably not executed."""

# Files written by 0.1 are opened as they are: its names of the table and the columns must not change.
COLUMNS_OF_0_1: Mapping[str, str] = MappingProxyType(
    {
        "key": "TEXT NOT NULL",
        "operation": "TEXT NOT NULL",
        "arguments": "TEXT NOT NULL",
        "stamps": "TEXT NOT NULL",
        "state": "TEXT NOT NULL",
        "changed_at": "REAL NOT NULL",
    }
)
COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        **COLUMNS_OF_0_1,
        "account": "TEXT",
        "host": "TEXT",
        "process": "INTEGER",
        "format": "INTEGER",
        "key_missing": "INTEGER",
        "machine": "TEXT",
        "window": "REAL",
    }
)
"""Name → type. Those after the ones of 0.1 are NULL in rows of 0.1."""


class Row(NamedTuple):
    """One write.

    Attributes:
        key: its idempotency key.
        operation: its name.
        args: its positional arguments, as they were given.
        kwargs: its keyword arguments, as they were given.
        stamps: the stamps that were signed for it, Unix seconds.
        state: `open`, `done` or `failed`; `open` if the file has another word.
        changed_at: when the row was last changed, Unix seconds.
        account: a digest of the client's account; None where the client names none, and in rows of 0.1.
        host: the host that the client talks to, or None likewise.
        process: the id of the process that began it; None in rows of 0.1.
        key_missing: whether the finished request lacked the key, so that the write cannot be looked up by it.
        problem: why the row cannot be read; empty for a good one. A bad row has no arguments and no stamps.
        machine: the name of the machine of that process; None where it is not known.
        window: seconds for which the API accepts its requests, as the client that signed them said; None where it
            signs nothing, and in rows of earlier versions.
        owner: in PostgreSQL the outbox that has the write, as `MACHINE:PROCESS:…`; None in a file.
        epoch: in PostgreSQL how often the write was taken over; 0 in a file.
    """

    key: str
    operation: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    stamps: tuple[float, ...]
    state: RowState
    changed_at: float
    account: str | None = None
    host: str | None = None
    process: int | None = None
    key_missing: bool = False
    problem: str = ""
    machine: str | None = None
    window: float | None = None
    owner: str | None = None
    epoch: int = 0


def is_settled(row: Row) -> bool:
    """Return whether nothing is left to do for a write."""
    return row.state != "open"


def read_row(values: Sequence[Any]) -> Row:
    """Return the row of these values, in the order of `COLUMNS`. Never raises: see `Row.problem`."""
    try:
        return _read_row(*values)
    except Exception as error:
        return _unreadable_row(values, error)


def _unreadable_row(values: Sequence[Any], error: Exception) -> Row:
    """Return a row with what is known of a damaged one."""
    unread = values[2] is None and values[4] is None
    problem = "SQLite cannot read it" if unread else str(error) or type(error).__name__
    key, operation, state, changed_at = values[0], values[1], values[4], values[5]
    return Row(
        _text(key), _text(operation), (), {}, (), state if state in get_args(RowState) else "open",
        changed_at if isinstance(changed_at, (int, float)) else 0.0, problem=problem,
    )  # fmt: skip


def _read_row(
    key: Any, operation: Any, arguments: Any, stamps: Any, state: Any, changed_at: Any,
    account: Any, host: Any, process: Any, number: Any, key_missing: Any, machine: Any, window: Any,
) -> Row:  # fmt: skip
    texts = {"key": key, "operation": operation, "arguments": arguments, "stamps": stamps, "state": state}
    known = {"account": account, "host": host, "machine": machine}
    texts |= {name: text for name, text in known.items() if text is not None}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(f"its column {name} has a {type(text).__name__} in place of a text")
        text.encode()  # fails where the text was not UTF-8
    if state not in get_args(RowState):
        raise ValueError(f"its state is {state!r}")
    args, kwargs = decode_arguments(arguments, number)
    times = json.loads(stamps)
    if not isinstance(times, list) or not all(type(stamp) in (int, float) and isfinite(stamp) for stamp in times):
        raise ValueError("its stamps are not a list of numbers")
    if not isinstance(changed_at, (int, float)):
        raise TypeError("its column changed_at has no number")
    return Row(
        key, operation, args, kwargs, tuple(times), state, changed_at, account, host, process, bool(key_missing),
        machine=machine, window=None if window is None else float(window),
    )  # fmt: skip


def _text(value: Any) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else repr(value)
