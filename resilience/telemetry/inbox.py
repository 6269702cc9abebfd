"""Collects what needs a person: from events what only they say, and all else from a snapshot.

The console shows these entries, and `alerts` sends the new ones. Nothing here waits, sends or writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._core.base.bounded_dict import BoundedDict
from .._core.base.event import Event
from .._core.base.fork_safety import new_lock
from .inbox_entry import KINDS, InboxEntry
from .inbox_snapshot import BreakerId, HoldId, breaker_id, hold_id, needs_of_snapshot

__all__ = ["Inbox", "InboxEntry"]

MAX_ENTRIES = 256  # of those that come from events
MAX_NAMES = 1_024
MAX_OPERATIONS = 16  # that are listed for one remedy
_WANTED = frozenset({
    "call_failed", "write_unknown", "lookup_failed", "policy_rejected", "policy_reloaded", "circuit_opened",
    "circuit_closed", "circuit_isolated", "circuit_released", "hold_started", "hold_ended", "shared_lost",
    "shared_back",
})  # fmt: skip


@dataclass(slots=True)
class _Repetition:
    """What has happened once or more often, for the same reason."""

    event: Event
    since: float
    last: float
    count: int = 0
    operations: dict[str, None] = field(default_factory=dict)


class Inbox:
    """A listener that collects what needs a person, grouped: a thousand failures with one remedy are one entry.

    Subscribe it to policies and pass it their snapshot. Safe across threads and signal handlers.

    Example:
        >>> from resilience import Policies
        >>> policies, inbox = Policies.builtin(), Inbox()
        >>> unsubscribe = policies.subscribe(inbox)
        >>> policies.isolate("http", reason="maintenance")
        >>> [entry.title for entry in inbox.entries(policies.snapshot())]
        ['http is isolated (hand), nothing is sent: maintenance']
    """

    def __init__(self, *, open_for: float = 60.0, forget_after: float = 3600.0) -> None:
        """Collect from now on.

        Args:
            open_for: seconds for which a breaker is open, trials included, before it needs a person.
            forget_after: seconds after which a failure that has not happened again is no entry any more.
        """
        self._open_for, self._forget_after = open_for, forget_after
        self._lock = new_lock()
        self._repeated: BoundedDict[str, _Repetition] = BoundedDict(MAX_ENTRIES)
        self._opened: BoundedDict[BreakerId, float] = BoundedDict(MAX_NAMES)
        self._long_holds: BoundedDict[HoldId, float] = BoundedDict(MAX_NAMES)

    def wants_event(self, name: str, fields: Mapping[str, Any]) -> bool:
        """Return whether an event may change the inbox. What an inner call has reported already does not."""
        if fields.get("inner"):
            return False
        return name in _WANTED or (name == "attempt_failed" and fields.get("socket") is not None)

    def __call__(self, event: Event) -> None:
        """Take an event in."""
        if not self.wants_event(event.name, {"inner": event.inner, "socket": event.socket}):
            return
        if event.name.startswith("circuit_"):
            self._take_breaker(event)
        elif event.name.startswith("hold_"):
            self._take_hold(event)
        elif event.name == "policy_reloaded":
            self._repeated.pop(f"policy_rejected:{event.source}", None)
        elif (id_ := _id_of(event)) is not None:
            self._repeat(id_, event)

    def entries(self, snapshot: Mapping[str, Any]) -> list[InboxEntry]:
        """Return what needs a person now: the most urgent kinds first, and within a kind the oldest first.

        Args:
            snapshot: what `Policies.snapshot()` returned just now.
        """
        at = snapshot["at"]
        self._follow(snapshot)
        # No lock: an event loop that fails a call meanwhile must not wait for a list of thousands of writes.
        opened, long_holds = self._opened.copy(), self._long_holds.copy()
        found = list(needs_of_snapshot(snapshot, opened=opened, open_for=self._open_for, long_holds=long_holds))
        found += self._entries_of_events(at)
        return sorted(found, key=lambda entry: (KINDS.index(entry.kind), entry.since))

    def dismiss(self, id_: str) -> bool:
        """Remove a failure that a person has seen. It comes back when it happens again.

        Args:
            id_: `InboxEntry.id` of the entry.

        Returns:
            False if there is no such entry, or if the entry is a state that lasts, such as an isolation.
        """
        return self._repeated.pop(id_, None) is not None

    def _follow(self, snapshot: Mapping[str, Any]) -> None:
        """Add breakers that were open before the inbox was made, and forget what ended without an event."""
        at, broken = snapshot["at"], {breaker_id(row) for row in snapshot["breakers"] if row["state"] != "closed"}
        held = {hold_id(row["scope"], row["host"], row["operation"]) for row in snapshot["holds"]}
        for name in broken:
            self._opened.setdefault(name, at)
        # What began after the snapshot is not in it.
        for breaker in [name for name, since in self._opened.copy().items() if since < at and name not in broken]:
            self._opened.pop(breaker, None)
        for hold in [name for name, since in self._long_holds.copy().items() if since < at and name not in held]:
            self._long_holds.pop(hold, None)

    def _take_breaker(self, event: Event) -> None:
        name = BreakerId(event.policy, event.breaker or "")
        if event.name == "circuit_opened":
            self._opened.setdefault(name, event.at or 0.0)  # a trial that fails opens it once more
        elif event.name == "circuit_closed":
            self._opened.pop(name, None)

    def _take_hold(self, event: Event) -> None:
        name = hold_id(event.scope, event.host, event.operation)
        if event.name == "hold_ended":
            self._long_holds.pop(name, None)
        elif event.hold_max is not None or event.reason == "ban":
            self._long_holds.setdefault(name, event.at or 0.0)

    def _repeat(self, id_: str, event: Event) -> None:
        at = event.at or 0.0
        with self._lock:
            known = self._repeated.get(id_)
            if known is None or at - known.last > self._forget_after:
                known = self._repeated[id_] = _Repetition(event, at, at)
            known.event, known.last, known.count = event, at, known.count + 1
            if event.operation is not None and len(known.operations) < MAX_OPERATIONS:
                known.operations[event.operation] = None

    def _entries_of_events(self, at: float) -> Iterator[InboxEntry]:
        for id_, known in self._repeated.copy().items():
            if at - known.last > self._forget_after:
                self._repeated.pop(id_, None)
                continue
            event = known.event
            kind = id_.partition(":")[0]
            yield InboxEntry(
                id_, kind, _title(kind, event, list(known.operations)), _remedy(kind, event), known.since, known.last,
                known.count, event.policy, event.operation, event.key, event.code,
            )  # fmt: skip


def _id_of(event: Event) -> str | None:
    """Return what an event is grouped by; None if it needs no person."""
    if event.name == "policy_rejected":
        return f"policy_rejected:{event.source}"
    if event.name == "lookup_failed":
        return f"lookup_failed:{event.policy}:{event.operation}:{event.reconciler}"
    is_uncertain = "write_unknown" in (event.also or ())  # its remedy is about this write, and the snapshot has it
    if event.category == "user_fixable" and event.name in ("call_failed", "attempt_failed") and not is_uncertain:
        return f"user_fixable:{event.remedy or event.code}"
    return None


def _title(kind: str, event: Event, operations: list[str]) -> str:
    if kind == "policy_rejected":
        return f"the policy file {event.source} was rejected, the old settings stay in force"
    if kind == "lookup_failed":
        return f"lookups of {event.operation} fail: {event.reconciler} ({event.caused_by})"
    names = ", ".join(operations[:3]) + (f" and {len(operations) - 3} more" if len(operations) > 3 else "")
    verb = "fail" if len(operations) > 1 else "fails"
    return f"{names or event.socket or event.policy} {verb} with {event.code or event.caused_by or event.http_status}"


def _remedy(kind: str, event: Event) -> str | None:
    if kind == "lookup_failed":
        return "Fix the reconciler: until then a write in doubt stays in doubt"
    if kind != "policy_rejected":
        return event.remedy
    first: Mapping[str, Any] = next(iter(event.problems or ()), {})
    place = ":".join(str(part) for part in (first.get("file"), first.get("line"), first.get("column")) if part)
    return " ".join(str(part) for part in (place, first.get("path"), first.get("message")) if part) or event.caused_by
