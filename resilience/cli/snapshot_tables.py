"""Turns a snapshot into the tables of `resilience top`: what needs you, what is now, and what happened lately.

A key that an older or a newer version does not have is shown as a dash.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

__all__ = ["SnapshotTable", "is_healthy", "snapshot_tables"]

Row = Mapping[str, Any]
_OUTCOMES = ("ok", "failed", "rejected", "unknown", "cancelled")
_MAX_CELL = 40  # characters of a cell that is not the last


class SnapshotTable(NamedTuple):
    """One part of the view.

    Attributes:
        title: what it shows.
        columns: names of the columns.
        rows: the cells.
        empty: what is said where there are no rows.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    empty: str


def is_healthy(snapshot: Row) -> bool:
    """Return what the snapshot says, else whether nothing is isolated and no breaker is open or half-open."""
    said = snapshot.get("healthy")
    return said if isinstance(said, bool) else not (snapshot.get("isolated") or list(_troubled_breakers(snapshot)))


def snapshot_tables(snapshot: Row, earlier: Row | None = None) -> list[SnapshotTable]:
    """Return the tables of a snapshot; with an earlier one the calls are those between the two."""
    return [
        SnapshotTable("Needs you", ("what", "policy", "which", "since", "why"), list(_needs(snapshot)), "nothing"),
        SnapshotTable("Now", ("what", "policy", "which", "state"), list(_now(snapshot)), "nothing is in use yet"),
        _lately(snapshot, earlier),
    ]


def _needs(snapshot: Row) -> Iterator[tuple[object, ...]]:
    at = snapshot["at"]
    for row in snapshot.get("isolated", ()):
        why = ": ".join(str(part) for part in (row.get("by"), row.get("reason")) if part)
        yield "isolated", _short(row.get("policy") or "all policies"), None, _age(at, row.get("since")), why or None
    for row in _fleet(snapshot):
        if row.get("lost"):
            yield "shared store lost", None, _short(row.get("store")), None, row["lost"]
    for row in _troubled_breakers(snapshot):
        yield f"breaker {row['state']}", _short(row.get("policy")), _short(row.get("key")), None, row.get("opened_by")
    yield from _doubts(snapshot)


def _doubts(snapshot: Row) -> Iterator[tuple[object, ...]]:
    for row in snapshot.get("writes_in_doubt", ()):
        which = _joined(row.get("operation"), row.get("key"))
        owner = row.get("owner") and f"{row['owner']} has it"
        why = ": ".join(str(part) for part in (owner, row.get("remedy") or row.get("code")) if part)
        yield "write in doubt", _short(row.get("policy")), which, _age(snapshot["at"], row.get("since")), why or None


def _troubled_breakers(snapshot: Row) -> Iterator[Row]:
    """Yield the breakers that reject calls, but not those of a policy that is isolated as a whole."""
    isolated = [row.get("policy") for row in snapshot.get("isolated", ())]
    for row in snapshot.get("breakers", ()):
        by_policy = None in isolated or row.get("policy") in isolated
        wanted = ("open", "half-open") if by_policy else ("open", "half-open", "isolated")
        if row.get("state") in wanted and not row.get("shadow"):
            yield row


def _now(snapshot: Row) -> Iterator[tuple[object, ...]]:
    at = snapshot["at"]
    # Closed breakers come last among the breakers: there may be one per host.
    for row in sorted(snapshot.get("breakers", ()), key=lambda row: row.get("state") == "closed"):
        yield "breaker", _short(row.get("policy")), _short(row.get("key")), _breaker_text(row, at)
    for row in snapshot.get("quotas", ()):
        ready = f", ready in {_seconds(row.get('ready_in'))}" if row.get("ready_in") else ""
        text = f"{_of(row.get('used'), row.get('limit'))} used at {row.get('rate', '-')}{ready}"
        yield "quota", _short(row.get("policy")), _joined(row.get("name"), _short(row.get("key"))), text
    for row in snapshot.get("holds", ()):
        policies, which = row.get("policies"), _joined(row.get("host"), row.get("operation"))
        text = f"{row.get('reason', '-')}, ends in {_seconds(row.get('seconds_left'))}"
        yield "hold", _short(", ".join(map(str, policies)) if isinstance(policies, list) else None), which, text
    for row in snapshot.get("budgets", ()):
        yield "budget", _short(row.get("policy")), None, f"{_of(row.get('left'), row.get('limit'))} retries left"
    for row in snapshot.get("admission", ()):
        text = f"{_of(row.get('running'), row.get('limit'))} running, {_figure(row.get('waiting'))} waiting"
        yield "admission", _short(row.get("policy")), _short(row.get("lane")), text
    for row in _fleet(snapshot):
        members = f"{_of(row.get('members'), row.get('processes'))} processes"
        trip = _number(row.get("round_trip")) * 1000
        yield "shared", None, _short(row.get("store")), f"{members}, round trip {trip:.1f} ms"
    for row in snapshot.get("streams", ()):
        counts = (f"{_figure(row.get(name))} {name}" for name in ("reconnects", "gaps", "dropped"))
        yield "stream", None, _short(row.get("socket")), ", ".join((str(row.get("state", "-")), *counts))


def _fleet(snapshot: Row) -> Iterator[Row]:
    """Yield what is shared with other processes, if anything is."""
    shared = snapshot.get("shared")
    if isinstance(shared, Mapping):
        yield shared


def _breaker_text(row: Row, at: float) -> str:
    counts = row.get("counts")
    counts = counts if isinstance(counts, dict) else {}
    parts = [str(row.get("state", "-")) + (" (shadow)" if row.get("shadow") else "")]
    until: Any = row.get("open_until")
    if row.get("state") == "open" and _is_number(until):
        parts.append(f"next attempt in {_seconds(max(0.0, until - at))}")
    parts += [f"{_figure(counts[name])} {name}" for name in ("succeeded", "failed", "slow") if name in counts]
    return ", ".join(parts)


def _lately(snapshot: Row, earlier: Row | None) -> SnapshotTable:
    seconds = snapshot["at"] - earlier["at"] if earlier else 0.0
    if earlier is None or seconds <= 0:
        earlier, seconds = {}, 0.0
    before = {_name(row): row for row in earlier.get("counters", ())}
    rows = [_calls(row, before.get(_name(row), {}), seconds) for row in snapshot.get("counters", ())]
    title = f"Lately: the last {_seconds(seconds)}" if seconds else "Calls since the start"
    columns = ("operation", "policy", "calls/s" if seconds else "calls", "success", *_OUTCOMES[1:])
    return SnapshotTable(title, columns, rows, "no calls yet")


def _calls(row: Row, before: Row, seconds: float) -> tuple[object, ...]:
    counts = [_number(row.get(name)) - _number(before.get(name)) for name in _OUTCOMES]
    if min(counts) < 0:  # the bot was restarted between the two snapshots
        counts = [_number(row.get(name)) for name in _OUTCOMES]
    total = sum(counts)
    shown = total / seconds if seconds else total
    share = f"{counts[0] / total:.1%}" if total else None
    return (
        _short(row.get("operation")), _short(row.get("policy")), _figure(shown), share, *map(_figure, counts[1:])
    )  # fmt: skip


def _name(row: Row) -> tuple[str, str]:
    return str(row.get("policy")), str(row.get("operation"))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: Any) -> float:
    return float(value) if _is_number(value) else 0.0


def _figure(value: Any) -> str:
    """Write a number with at most two decimals; anything else is a dash."""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if _is_number(value) else "-"


def _of(part: Any, whole: Any) -> str:
    return f"{_figure(part)} of {_figure(whole)}" if _is_number(whole) else _figure(part)


def _age(at: float, since: Any) -> str | None:
    return _seconds(max(0.0, at - since)) if _is_number(since) else None


def _seconds(value: Any) -> str:
    if not _is_number(value):
        return "-"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def _short(value: object) -> str | None:
    if value is None or value == "":
        return None
    text = str(value)
    return text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…"


def _joined(*parts: Any) -> str | None:
    # A key is what a person looks the write up by: it is never cut.
    return " ".join(str(part) for part in parts if part) or None
