"""Turns a snapshot into the rows of "Now": each breaker, quota, hold, budget, lane and stream with its state in words.

A row has a value from 0 to 1 for its chart, or None, and a level: `calm`, `warn` (it delays calls, or has begun to
fail) or `bad` (calls are rejected).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .plain_words import count_of, duration_words, figure, of_words

__all__ = ["LONG_HOLD", "LiveRow", "live_rows"]

LONG_HOLD = 60.0  # seconds left of a hold that a person should know of
_TROUBLED_SHARE = 0.5  # of the attempts in a breaker's window that fail
_LIVE_STREAMS = ("live", "idle")
_BREAKER_LEVELS = {"closed": "calm", "half-open": "warn", "open": "bad", "isolated": "bad"}

Fields = Mapping[str, Any]


class LiveRow(NamedTuple):
    """One row.

    Attributes:
        id: names it among all rows, for as long as it exists.
        kind: what it is, such as `breaker`.
        policy: name of the policy; empty if it belongs to several.
        name: what it guards or limits.
        state: what it does now, in words.
        value: what its chart shows, from 0 to 1; None for nothing.
        level: `calm`, `warn` or `bad`.
        actions: what can be done with it.
        key: the breaker's key, for its action.
    """

    id: str
    kind: str
    policy: str
    name: str
    state: str
    value: float | None
    level: str
    actions: tuple[str, ...] = ()
    key: str | None = None


def live_rows(snapshot: Fields) -> list[LiveRow]:
    """Return the rows, those in trouble first."""
    rows: list[LiveRow] = []
    for name, new_row in _KINDS.items():
        rows += (new_row(fields, snapshot["at"]) for fields in snapshot[name])
    rows += _fleet(snapshot["shared"])
    return sorted(rows, key=lambda row: ("bad", "warn", "calm").index(row.level))


def _breaker(row: Fields, at: float) -> LiveRow:
    state, counts = row["state"], row["counts"]
    total = counts["succeeded"] + counts["failed"]
    share = counts["failed"] / total if total else 0.0
    level = "warn" if state == "closed" and share >= _TROUBLED_SHARE else _BREAKER_LEVELS[state]
    if row["shadow"]:
        level = "calm" if level == "calm" else "warn"  # it rejects nothing
    actions = ("isolate",) if state == "closed" else ("release",) if state == "isolated" else ("close", "isolate")
    words = ", ".join(_breaker_words(row, at, total, share))
    name = row["key"] if row["key"] != row["policy"] else ""
    value = share if state == "closed" else 1.0
    identity = f"breaker {row['policy']} {row['key']}"
    return LiveRow(identity, "breaker", row["policy"], name, words, value, level, actions, row["key"])


def _breaker_words(row: Fields, at: float, total: int, share: float) -> Iterator[str]:
    yield f"{row['state']} (shadow)" if row["shadow"] else row["state"]
    if row["open_until"] is not None:
        yield f"next attempt in {duration_words(max(0.0, row['open_until'] - at))}"
    if row["opened_by"]:
        yield f"opened by {row['opened_by']}"
    if total and row["state"] == "closed":
        yield f"{100 * share:.0f} % of {count_of(total, 'attempt')} failed"


def _quota(row: Fields, _at: float) -> LiveRow:
    wait = row["ready_in"]
    state = f"{of_words(row['used'], row['limit'])} used, {row['rate']}"
    if wait is None:
        state += ", no attempt is allowed"
    elif wait:
        state += f", next in {duration_words(wait)}"
    name = " ".join(part for part in (row["name"], row["key"]) if part)
    identity = f"quota {row['policy']} {name} {row['rate']}"
    return LiveRow(identity, "quota", row["policy"] or "", name, state, _share(row["used"], row["limit"]), _waits(wait))


def _hold(row: Fields, _at: float) -> LiveRow:
    left, policies = row["seconds_left"], ", ".join(row["policies"])
    what = "banned" if row["reason"] == "ban" else "the API asks to wait"
    name = " ".join(part for part in (row["host"], row["operation"] if row["scope"] == "operation" else "") if part)
    level = "bad" if row["reason"] == "ban" or left > LONG_HOLD else "warn"
    state = f"{what}, ends in {duration_words(left)}"
    identity = f"hold {row['scope']} {row['host']} {row['account']} {row['operation']}"
    return LiveRow(identity, "hold", policies, name, state, min(1.0, left / LONG_HOLD), level, ("release",))


def _budget(row: Fields, _at: float) -> LiveRow:
    left, limit = row["left"], row["limit"]
    level = "warn" if limit >= 1 > left else "calm"
    state = f"{of_words(left, limit)} retries left"
    return LiveRow(f"budget {row['policy']}", "budget", row["policy"], "", state, _share(left, limit), level)


def _lane(row: Fields, _at: float) -> LiveRow:
    state = f"{of_words(row['running'], row['limit'])} running, {row['waiting']:,} waiting"
    identity = f"lane {row['policy']} {row['lane']}"
    level = "warn" if row["waiting"] else "calm"
    return LiveRow(identity, "lane", row["policy"], row["lane"], state, _share(row["running"], row["limit"]), level)


def _stream(row: Fields, _at: float) -> LiveRow:
    is_live = row["state"] in _LIVE_STREAMS
    counts = (count_of(row[name], name.removesuffix("s")) for name in ("reconnects", "gaps") if row[name])
    words = [row["state"], *counts, *([f"{row['dropped']:,} dropped"] if row["dropped"] else ())]
    level = "calm" if is_live else "warn"
    return LiveRow(f"stream {row['socket']}", "stream", "", row["socket"], ", ".join(words), float(is_live), level)


def _fleet(shared: Fields | None) -> Iterator[LiveRow]:
    """Yield the store with the members of the fleet, and who holds what of each limit."""
    if shared is None:
        return
    members, processes = shared["members"] or 0, shared["processes"]
    trip = (shared["round_trip"] or 0.0) * 1000
    state = f"{members} of {processes or '?'} processes, round trip {trip:.1f} ms, this one is {shared['member']}"
    level = "calm" if shared["connected"] else "bad"
    if shared["lost"]:
        state = f"lost: {shared['lost']}"
    yield LiveRow("fleet", "fleet", "", shared["store"], state, _share(members, processes or 0), level)
    yield from _leases((shared.get("quota") or {}).get("windows", ()))
    for row in shared.get("budget") or ():
        state = f"{count_of(row['retries'], 'retry').replace('retrys', 'retries')} for {count_of(row['calls'], 'call')}"
        state = f"{state}, all {count_of(row['processes'], 'process').replace('processs', 'processes')} together"
        share = _share(row["retries"], row["calls"])
        yield LiveRow(f"fleet budget {row['policy']}", "fleet budget", row["policy"], "", state, share, "calm")


def _leases(windows: Any) -> Iterator[LiveRow]:
    for row in windows:
        here = f"this process holds {figure(row['in_hand'])}"
        state = f"{of_words(row['leased'], row['limit'])} leased to members, {here}"
        share = _share(row["leased"], row["limit"])
        yield LiveRow(f"lease {row['name']}", "lease", "", str(row["name"]), state, share, "calm")


def _share(part: float, whole: float) -> float | None:
    return min(1.0, max(0.0, part / whole)) if whole else None


def _waits(wait: float | None) -> str:
    return "warn" if wait is None or wait else "calm"


_KINDS: dict[str, Callable[[Fields, float], LiveRow]] = {
    "breakers": _breaker,
    "holds": _hold,
    "streams": _stream,
    "quotas": _quota,
    "admission": _lane,
    "budgets": _budget,
}
