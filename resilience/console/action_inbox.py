"""Collects what a person has to do: writes in doubt, failures that a person can fix, rejected files, what is held.

Failures are grouped by their remedy, so that a thousand orders without funds are one entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .._core.base.bounded_dict import BoundedDict
from .live_rows import LONG_HOLD
from .plain_words import duration_words

__all__ = ["ActionInbox"]

_MAX_GROUPS = 100
_MAX_WRITES = 50  # the oldest ones
_FORGOTTEN_AFTER = 3600.0  # seconds after the last failure of a group
_MAX_OPERATIONS = 4  # that a group names

Fields = Mapping[str, Any]


class ActionInbox:
    """The entries of "Needs you" that the snapshot does not have, and all of them as rows. Used by one thread."""

    def __init__(self) -> None:
        self._groups: BoundedDict[Any, dict[str, Any]] = BoundedDict(_MAX_GROUPS)

    def take(self, name: str, fields: Fields, at: float) -> None:
        """Take an event."""
        if name == "policy_reloaded":
            self._groups.pop(("policy_rejected", fields.get("source")), None)
        elif name == "policy_rejected":
            self._groups.pop(("policy_rejected", fields.get("source")), None)  # the mistakes of now are what counts
            self._count(("policy_rejected", fields.get("source")), _rejected_file(fields), "", at)
        elif name == "lookup_failed":
            what = f"The lookup {fields.get('reconciler', '')} is broken"
            self._count((name, what), _group("bug", "bad", what, f"Fix it: {fields.get('caused_by')}"), _op(fields), at)
        elif name in ("call_failed", "call_abandoned") and fields.get("category") == "user_fixable":
            self._count((name, _remedy_group(fields)), _fixable(fields), _op(fields), at)

    def rows(self, snapshot: Fields) -> list[dict[str, Any]]:
        """Return all entries, the most urgent first."""
        at = snapshot["at"]
        for key, group in self._groups.copy().items():
            if at - group["last"] > _FORGOTTEN_AFTER:
                self._groups.pop(key, None)
        groups = sorted(self._groups.copy().values(), key=lambda group: -group["last"])
        return [*_writes(snapshot), *_isolations(snapshot), *_store(snapshot), *_holds(snapshot), *groups]

    def _count(self, key: Any, new: dict[str, Any], operation: str, at: float) -> None:
        group = self._groups.pop(key, None) or {**new, "id": f"group {key}", "since": at, "count": 0, "where": []}
        where = group["where"]
        if operation and operation not in where and len(where) < _MAX_OPERATIONS:
            where = [*where, operation]
        # Put in again, so that the group that was silent for longest is forgotten first.
        self._groups[key] = {**group, "where": where, "last": at, "count": group["count"] + 1}


def _group(kind: str, level: str, title: str, detail: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "level": level, "title": title, "detail": detail, **fields}


def _op(fields: Fields) -> str:
    return str(fields.get("operation") or "")


def _remedy_group(fields: Fields) -> tuple[Any, ...]:
    return fields.get("remedy") or fields.get("code"), fields.get("host"), fields.get("code")


def _fixable(fields: Fields) -> dict[str, Any]:
    said = fields.get("code") or fields.get("http_status") or fields.get("caused_by")
    host = f" by {fields['host']}" if fields.get("host") else ""
    title = str(fields.get("remedy") or "A person can fix this").rstrip(".")
    return _group("fix", "warn", title, f"Refused{host} with {said}")


def _rejected_file(fields: Fields) -> dict[str, Any]:
    problems = fields.get("problems") or ()
    lines = [f"line {one['line']}: {one['message']}" if one.get("line") else one.get("message", "") for one in problems]
    detail = "; ".join(lines[:3]) + (f"; and {len(lines) - 3} more" if len(lines) > 3 else "")
    title = f"Correct the policy file {fields.get('source') or ''}".rstrip()
    return _group("file", "bad", title, f"The old settings stay in force: {detail}")


def _writes(snapshot: Fields) -> Iterator[dict[str, Any]]:
    writes = snapshot["writes_in_doubt"]
    for number, row in enumerate(writes[:_MAX_WRITES]):
        detail = row["remedy"] or "Look it up before it is sent again"
        name = row["key"] or f"{row['operation']} {row['since']} {number}"
        fields = {name: row[name] for name in ("key", "policy", "no_lookup", "since")}
        title = f"Did {row['operation']} take effect?"
        yield {"id": f"write {name}", **_group("write", "bad", title, detail, **fields), "where": [], "count": 1}
    if len(writes) > _MAX_WRITES:
        title = f"{len(writes) - _MAX_WRITES:,} more writes are in doubt"
        fields = _group("more", "bad", title, "They are shown when those before them are settled", since=None)
        yield {"id": "more writes", **fields, "where": [], "count": 1}


def _isolations(snapshot: Fields) -> Iterator[dict[str, Any]]:
    words = {"hand": "by hand", "policy": "by the policy file", "environment": "by the environment"}
    for row in snapshot["isolated"]:
        what = f"Policy {row['policy']} is isolated" if row["policy"] else "Everything is isolated"
        by = words.get(row["by"], "by a hand in another process")
        detail = f"Nothing is sent, {by}" + (f": {row['reason']}" if row["reason"] else "")
        fields = _group("isolation", "bad", what, detail, policy=row["policy"], since=row["since"])
        yield {"id": f"isolation {row['policy']} {row['by']}", **fields, "where": [], "count": 1}


def _store(snapshot: Fields) -> Iterator[dict[str, Any]]:
    shared = snapshot["shared"]
    if shared is not None and shared["lost"]:
        fields = _group("store", "bad", "The shared store is lost", f"{shared['store']}: {shared['lost']}")
        yield {"id": "store", **fields, "where": [], "count": 1, "since": None}


def _holds(snapshot: Fields) -> Iterator[dict[str, Any]]:
    for row in snapshot["holds"]:
        if row["seconds_left"] > LONG_HOLD:
            why = "has banned this client" if row["reason"] == "ban" else "asks to wait"
            title = f"{row['host'] or 'The API'} {why} for {duration_words(row['seconds_left'])}"
            detail = f"{', '.join(row['policies'])}: nothing is sent before it ends, unless somebody releases it"
            fields = _group("hold", "warn", title, detail, since=None, policies=row["policies"])
            yield {"id": f"hold {row['host']} {row['operation']}", **fields, "where": [], "count": 1}
