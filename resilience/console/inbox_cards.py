"""Turns the entries of the inbox into the cards of "Needs you", each with what a person can do about it here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from ..telemetry.inbox_entry import InboxEntry

__all__ = ["inbox_cards"]

_MAX_CARDS = 20  # of each kind, the oldest ones: a thousand cards hide the one that matters
_MAX_WRITES = 50  # each of them is settled on its own
_MILD = ("hold", "user_fixable")  # calls go on, or will by themselves
_WRITE = "write_in_doubt"
_IN_ROWS = "Each has its row under Now"
_FURTHER = {
    _WRITE: ("writes are in doubt", "They are shown when those before them are settled"),
    "isolated": ("isolations", _IN_ROWS),
    "hold": ("waits that the API asks for", _IN_ROWS),
    "breaker_open": ("breakers are open", _IN_ROWS),
    "user_fixable": ("failures that a person can mend", "They are shown when those before them are mended"),
}
"""What stands for the cards of a kind that are not shown: its title after their number, and where they are found."""

Fields = Mapping[str, Any]


def inbox_cards(entries: Iterable[InboxEntry], snapshot: Fields) -> list[dict[str, Any]]:
    """Return the cards, the most urgent first, as the entries are."""
    by_kind: dict[str, list[InboxEntry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.kind != _WRITE):
        by_kind[entry.kind].append(entry)
    cards = []
    for kind, listed in by_kind.items():
        limit = _MAX_WRITES if kind == _WRITE else _MAX_CARDS
        make = _write if kind == _WRITE else _other
        cards += [make(entry, snapshot) for entry in listed[:limit]]
        if len(listed) > limit:
            cards.append(_further(kind, len(listed) - limit))
    return cards


def _write(entry: InboxEntry, snapshot: Fields) -> dict[str, Any]:
    rows = snapshot["writes_in_doubt"]
    no_lookup = next((row["no_lookup"] for row in rows if row["key"] == entry.key), "it is settled")
    what = f"Did {entry.operation} take effect?"
    detail = entry.remedy or "Look it up before it is sent again"
    # Its count is that of the attempts, which would look as if there were several writes.
    return {**_card(entry, what, detail), "count": 1, "action": "look_up", "no_lookup": no_lookup}


def _further(kind: str, number: int) -> dict[str, Any]:
    title, detail = _FURTHER.get(kind, ("entries of this kind", "They are shown when those before them are settled"))
    title = f"{number:,} more {title}"
    return {**_card(InboxEntry(f"more:{kind}", kind, title, None, 0.0, 0.0), title, detail), "stands_for": number}


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
        "stands_for": 1,
        "policy": entry.policy,
        "key": entry.key,
        "action": None,
        "no_lookup": None,
    }


def _sentence(text: str) -> str:
    """Return a title with its first letter in upper case, unless it begins with a name such as `create_order`."""
    first = text.split(" ", 1)[0]
    return text[:1].upper() + text[1:] if first in ("the", "everything", "lookups") else text
