"""Decides what the state in a pybreaker storage means for a breaker, and what of a breaker is written there.

Several programs share such a storage. It keeps a state and when it was opened, in whole seconds, and it does not say
how long a breaker stays open: that is each program's own setting. `CircuitRedisStorage` answers like an empty storage
while its server is gone. So "closed" counts as an answer only where the storage still knows when it was opened.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from .breaker import Breaker

__all__ = ["BY_STORAGE", "StoredState", "follow", "has_lost_memory", "read_state", "state_to_write"]

BY_STORAGE = "another program, through pybreaker's storage"
"""What `Breaker.opened_by` says of a breaker that has followed a storage."""
_STATES = ("closed", "open", "half-open")


class StoredState(NamedTuple):
    """What a storage says.

    Attributes:
        state: `closed`, `open` or `half-open`.
        opened_at: when it was opened the last time, Unix seconds; None where that is unknown.
    """

    state: str
    opened_at: float | None


def read_state(state: object, opened_at: object) -> StoredState:
    """Return what a storage says. A date without a zone is UTC, as in pybreaker.

    Raises:
        ValueError: it is no state of a breaker.
    """
    if state not in _STATES:
        raise ValueError("a pybreaker storage returned no state of a breaker")
    if not isinstance(opened_at, datetime):
        return StoredState(str(state), None)
    aware = opened_at if opened_at.tzinfo is not None else opened_at.replace(tzinfo=UTC)
    return StoredState(str(state), aware.timestamp())


def has_lost_memory(known: StoredState | None, stored: StoredState) -> bool:
    """Return whether a storage has forgotten when it was opened: it is gone, or it came back empty."""
    return known is not None and known.opened_at is not None and stored.opened_at is None


def follow(
    breaker: Breaker, known: StoredState | None, stored: StoredState, now: float, *, is_new: bool, emit: bool = True
) -> None:
    """Have a breaker follow what has changed in a storage.

    Args:
        breaker: the breaker.
        known: what the storage said before; None if it is read for the first time.
        stored: what it says now.
        now: the present, in Unix seconds.
        is_new: whether the change is not older than a beat. Its open time begins now then, by no other clock than ours.
        emit: whether the breaker's event is emitted at once; else the next attempt emits it.
    """
    if stored.state == "closed":
        if known is not None and known.state != "closed":
            breaker.follow_closed()
        return
    open_for = breaker.settings.open_for
    if stored.state == "half-open":  # others try whether the service is well, and so does this breaker
        left = 0.0
    elif is_new or stored.opened_at is None:
        left = open_for
    else:
        left = min(open_for, max(0.0, stored.opened_at + open_for - now))
    breaker.follow_open(left, BY_STORAGE, emit=emit)


def state_to_write(breaker: Breaker, known: StoredState | None, changed_at: float) -> StoredState | None:
    """Return what is written of a breaker that has changed, or None.

    Nothing is written of a shadow breaker, of an isolated one (pybreaker has no such state, and other programs would
    begin trials), and of what was read.

    Args:
        breaker: the breaker.
        known: what the storage says.
        changed_at: when it changed, in Unix seconds.
    """
    state = breaker.state
    if breaker.shadow or state not in _STATES:
        return None
    if state == "open":
        return None if breaker.opened_by == BY_STORAGE else StoredState("open", changed_at)
    if known is not None and known.state == state:
        return None
    return StoredState(state, None if known is None else known.opened_at)
