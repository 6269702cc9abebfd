"""Lists what needs a person in a snapshot: writes in doubt, isolations, long holds, open breakers, a lost store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from .inbox_entry import InboxEntry

__all__ = ["BreakerId", "HoldId", "breaker_id", "hold_id", "needs_of_snapshot"]

Row = Mapping[str, Any]


class BreakerId(NamedTuple):
    """Which breaker: its policy, and what it guards."""

    policy: str | None
    key: str


class HoldId(NamedTuple):
    """Which hold: what it concerns."""

    scope: str | None
    host: str
    operation: str


def breaker_id(row: Row) -> BreakerId:
    """Return which breaker is in a row of a snapshot."""
    return BreakerId(row["policy"], row["key"])


def hold_id(scope: str | None, host: str | None, operation: str | None) -> HoldId:
    """Return which hold it is; one that concerns a host is the same whatever operation got the answer."""
    return HoldId(scope, host or "", "" if scope == "host" else operation or "")


def needs_of_snapshot(
    snapshot: Row, *, opened: Mapping[BreakerId, float], open_for: float, long_holds: Mapping[HoldId, float]
) -> Iterator[InboxEntry]:
    """Yield the entries of a snapshot, the most urgent kinds first.

    Args:
        snapshot: what `Policies.snapshot()` returned.
        opened: since when each open breaker has been open, Unix seconds.
        open_for: seconds for which a breaker is open before it needs a person.
        long_holds: the holds that are longer than `hold_max`, and when each began, Unix seconds.
    """
    at = snapshot["at"]
    yield from _writes(snapshot)
    yield from _isolations(snapshot)
    for row in snapshot["holds"]:
        name = hold_id(row["scope"], row["host"], row["operation"])
        if row["reason"] == "ban" or name in long_holds:
            yield _hold(row, name, long_holds.get(name, at), at)
    for row in _troubled_breakers(snapshot):
        since = opened.get(breaker_id(row), at)
        if row["state"] != "isolated" and at - since >= open_for:
            yield _open_breaker(row, since, at)
    yield from _store(snapshot)


def _troubled_breakers(snapshot: Row) -> Iterator[Row]:
    """Yield the breakers that reject calls by themselves: not those of a policy that is isolated as a whole."""
    isolated = {row["policy"] for row in snapshot["isolated"]}
    for row in snapshot["breakers"]:
        if row["state"] != "closed" and not row["shadow"] and not isolated & {None, row["policy"]}:
            yield row


def _writes(snapshot: Row) -> Iterator[InboxEntry]:
    for row in snapshot["writes_in_doubt"]:
        # A write without a key has nothing but its time to distinguish it.
        which = row["key"] or f"@{row['since']}"
        title = f"write in doubt: {row['operation']} {row['key'] or 'without a key'}"
        yield InboxEntry(
            f"write_in_doubt:{row['operation']}:{which}", "write_in_doubt", title, row["remedy"], row["since"],
            snapshot["at"], row["attempts"], row["policy"], row["operation"], row["key"], row["code"],
        )  # fmt: skip


def _isolations(snapshot: Row) -> Iterator[InboxEntry]:
    for row in snapshot["isolated"]:
        policy, since, at = row["policy"], row["since"], snapshot["at"]
        reason = f": {row['reason']}" if row["reason"] else ""
        title = f"{policy or 'everything'} is isolated ({row['by']}), nothing is sent{reason}"
        remedy = "Release it when the reason is gone"
        yield InboxEntry(f"isolated:{policy or ''}", "isolated", title, remedy, since, at, policy=policy)
    for row in _troubled_breakers(snapshot):
        if row["state"] == "isolated":
            policy, key, at = row["policy"], row["key"], snapshot["at"]
            title = f"the breaker of {_breaker(policy, key)} is isolated, nothing is sent"
            remedy = "Close the breaker when the reason is gone"
            yield InboxEntry(f"isolated:{policy}:{key}", "isolated", title, remedy, at, at, policy=policy, key=key)


def _hold(row: Row, name: HoldId, since: float, at: float) -> InboxEntry:
    where = row["host"] or row["operation"]
    what = "has banned this client" if row["reason"] == "ban" else "asks this client to wait"
    until = datetime.fromtimestamp(row["until"], UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    policies = row["policies"]
    remedy = "Nothing is sent until then. Find out which calls exceeded the limit, and lower the policy's quota"
    return InboxEntry(
        f"hold:{name.scope}:{name.host}:{name.operation}", "hold", f"{where} {what} until {until}", remedy, since,
        at, policy=policies[0] if len(policies) == 1 else None, operation=row["operation"], key=row["host"] or None,
    )  # fmt: skip


def _open_breaker(row: Row, since: float, at: float) -> InboxEntry:
    policy, key = row["policy"], row["key"]
    cause = f": {row['opened_by']}" if row["opened_by"] else ""
    title = f"the breaker of {_breaker(policy, key)} does not close{cause}"
    remedy = "Find out whether the API is down, or whether this machine cannot reach it"
    return InboxEntry(f"breaker_open:{policy}:{key}", "breaker_open", title, remedy, since, at, policy=policy, key=key)


def _breaker(policy: str | None, key: str | None) -> str:
    return f"{policy}" if key in (policy, "", None) else f"{policy} for {key}"


def _store(snapshot: Row) -> Iterator[InboxEntry]:
    shared = snapshot["shared"]
    if shared is not None and shared.get("lost"):
        title = f"the shared store {shared.get('store')} is lost ({shared['lost']}), each process goes on alone"
        remedy = "Bring the store back; limits are not shared until then"
        yield InboxEntry("shared_lost", "shared_lost", title, remedy, snapshot["at"], snapshot["at"])
