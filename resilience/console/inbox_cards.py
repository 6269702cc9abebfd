"""Turns the entries of the inbox into the cards of "Needs you", each with what a person can do about it here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..telemetry.inbox_entry import InboxEntry

__all__ = ["inbox_cards"]

_MAX_WRITES = 50  # the oldest ones
_MILD = ("hold", "user_fixable")  # calls go on, or will by themselves
_WRITE = "write_in_doubt"

Fields = Mapping[str, Any]


def inbox_cards(entries: Iterable[InboxEntry], snapshot: Fields) -> list[dict[str, Any]]:
    """Return the cards, the most urgent first, as the entries are."""
    listed = list(entries)
    writes = [entry for entry in listed if entry.kind == _WRITE]
    cards = [_write(entry, snapshot) for entry in writes[:_MAX_WRITES]]
    cards += _further(len(writes) - _MAX_WRITES)
    return cards + [_other(entry, snapshot) for entry in listed if entry.kind != _WRITE]


def _write(entry: InboxEntry, snapshot: Fields) -> dict[str, Any]:
    rows = snapshot["writes_in_doubt"]
    no_lookup = next((row["no_lookup"] for row in rows if row["key"] == entry.key), "it is settled")
    what = f"Did {entry.operation} take effect?"
    detail = entry.remedy or "Look it up before it is sent again"
    # Its count is that of the attempts, which would look as if there were several writes.
    return {**_card(entry, what, detail), "count": 1, "action": "look_up", "no_lookup": no_lookup}


def _further(number: int) -> Iterator[dict[str, Any]]:
    if number > 0:
        title = f"{number:,} more writes are in doubt"
        entry = InboxEntry("more_writes", "more_writes", title, None, 0.0, 0.0)
        yield _card(entry, title, "They are shown when those before them are settled")


def _other(entry: InboxEntry, snapshot: Fields) -> dict[str, Any]:
    if entry.kind == "user_fixable" and entry.remedy:
        return _card(entry, entry.remedy.rstrip("."), _sentence(entry.title))
    card = _card(entry, _sentence(entry.title), entry.remedy or "")
    is_breaker = any((row["policy"], row["key"]) == (entry.policy, entry.key) for row in snapshot["breakers"])
    if entry.kind in ("isolated", "breaker_open") and is_breaker and entry.key is not None:
        return {**card, "action": "close"}
    return {**card, "action": "release"} if entry.kind in ("isolated", "hold") else card


def _card(entry: InboxEntry, title: str, detail: str) -> dict[str, Any]:
    return {
        "id": entry.id,
        "kind": entry.kind,
        "level": "warn" if entry.kind in _MILD else "bad",
        "title": title,
        "detail": detail,
        "since": entry.since or None,
        "last": entry.last,
        "count": entry.times,
        "policy": entry.policy,
        "key": entry.key,
        "action": None,
        "no_lookup": None,
    }


def _sentence(text: str) -> str:
    """Return a title with its first letter in upper case, unless it begins with a name such as `create_order`."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first in ("the", "everything", "lookups") else text
