"""Defines `BreakerStore`, which keeps the states of breakers over a restart, and what is stored of a breaker.

Instants are wall-clock time, because another process has another monotonic clock. A step of the wall clock can make an
open time shorter, and never longer than the breaker's settings allow.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, NamedTuple

from .breaker import Breaker
from .breaker_snapshot import VERSION

__all__ = ["BreakerRecord", "BreakerStore", "apply_record", "new_record", "newer_record", "read_record"]

RECORD_VERSION = 1
MAX_AHEAD = 60.0  # seconds; a record that was changed later than that from now is of a wrong clock
_STATES = ("closed", "open", "half-open")


class BreakerStore:
    """Keeps the states of breakers over a restart. Derive a class with `load` and `save`.

    Both are called in a thread of their own, never within a call, so they may be slow. What they raise is reported by
    the event `breaker_store_failed`.
    """

    def load(self) -> Mapping[str, Any]:
        """Return every record by its breaker's name. Values that are not records are ignored."""
        raise NotImplementedError

    def save(self, name: str, record: Mapping[str, Any]) -> None:
        """Keep the record of one breaker.

        Args:
            name: the breaker's name.
            record: plain data, which `json.dumps` takes.
        """
        raise NotImplementedError

    def merge(self, stored: Mapping[str, Any], record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the one of two valid records that counts; by default the one that was changed later."""
        return stored if stored["changed_at"] > record["changed_at"] else record


class BreakerRecord(NamedTuple):
    """What is stored of a breaker.

    Attributes:
        version: number of this format.
        changed_at: when it changed its state, in Unix seconds.
        state: `closed`, `open` or `half-open`.
        isolated: open until it is closed by hand.
        open_until: Unix seconds until which it rejects; 0 for a breaker that is not open.
        open_for: seconds for which it opens next time.
    """

    version: int
    changed_at: float
    state: str
    isolated: bool
    open_until: float
    open_for: float


def new_record(breaker: Breaker, changed_at: float, now: float) -> BreakerRecord:
    """Return the record of a breaker.

    Args:
        breaker: the breaker.
        changed_at: when it changed, in Unix seconds.
        now: the present, in Unix seconds.
    """
    saved = breaker.export()
    open_until = now + saved["left"] if saved["state"] == "open" and not saved["isolated"] else 0.0
    return BreakerRecord(RECORD_VERSION, changed_at, saved["state"], saved["isolated"], open_until, saved["open_for"])


def read_record(value: object, now: float) -> BreakerRecord | None:
    """Return a stored record, or None for what is none, or is of a clock that is ahead of ours."""
    if not isinstance(value, Mapping):
        return None
    try:
        record = BreakerRecord(**value)
        return record if _is_valid(record) and record.changed_at <= now + MAX_AHEAD else None
    except Exception:  # a store may return anything
        return None


def _is_valid(record: BreakerRecord) -> bool:
    numbers = (record.changed_at, record.open_until, record.open_for)
    is_known = record.version == RECORD_VERSION and record.state in _STATES and isinstance(record.isolated, bool)
    return is_known and all(isfinite(number) and number >= 0 for number in numbers)


def newer_record(store: BreakerStore, stored: BreakerRecord | None, record: BreakerRecord, now: float) -> BreakerRecord:
    """Return which record counts, by the store's `merge`; ours if that returns what is no record."""
    if stored is None:
        return record
    merged = read_record(store.merge(stored._asdict(), record._asdict()), now)
    return record if merged is None else merged


def apply_record(breaker: Breaker, record: BreakerRecord, now: float, *, emit: bool = True) -> None:
    """Give a breaker the state of a record. A half-open one begins its trials anew: those of others are not ours.

    Args:
        breaker: the breaker.
        record: what was stored.
        now: the present, in Unix seconds.
        emit: whether its event is emitted at once; else the next attempt emits it.
    """
    settings = breaker.settings
    left = min(max(0.0, record.open_until - now), max(settings.open_max, settings.open_for))
    breaker.restore(
        {
            "version": VERSION,
            "state": "closed" if record.state == "closed" else "open",
            "isolated": record.isolated and record.state == "open",
            "left": left,
            "open_for": record.open_for,
            "consecutive_failures": 0,
            "successes": 0,
            "window": {"slices": []},  # counts are not stored: they would be too old
        },
        emit=emit,
    )
