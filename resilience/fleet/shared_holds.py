"""Shares the waits that APIs have asked for: a ban that one process gets stops all of them.

A hold ends permits that are in hand or booked without a word to the quota: each attempt asks for holds first.
"""

from __future__ import annotations

import weakref
from typing import Any

from .._core.stages.hold import Hold, Key
from .entries_part import EntriesPart
from .keys import digest_of
from .part_inputs import PartInputs
from .shared_entries import Entry

__all__ = ["SharedHolds"]

TOLERANCE = 0.1  # seconds by which two processes may differ about the end of a hold
_FIELDS = ("scope", "host", "account", "operation", "reason", "policy", "is_long")


class SharedHolds(EntriesPart):
    """The holds of one set of policies."""

    def __init__(self, inputs: PartInputs) -> None:
        """Share the holds that last already, too."""
        super().__init__(inputs, "holds")
        self._shared = weakref.ref(inputs.shared)
        self._holds = inputs.shared.holds
        self._member = inputs.membership
        self._keys: dict[str, Key] = {}
        self._holds.on_start, inputs.shared.on_release = self.started, self.released
        for hold in self._holds.current(self._clock.monotonic()):
            self.started(hold)

    def leave(self) -> None:
        """Share no holds any more; those that are known stay."""
        shared = self._shared()
        if shared is not None and shared.on_release == self.released:
            self._holds.on_start = shared.on_release = None

    def started(self, hold: Hold) -> None:
        """Have the other processes follow a hold. Never waits."""
        value = {name: getattr(hold, name) for name in _FIELDS}
        self._entries.add(_field(hold.key), {**value, "member": self._member.member}, hold.until)
        self.changed("")

    def released(self, holds: list[Hold] | None) -> None:
        """Have the other processes release holds, or all of them. Never waits."""
        if holds is None:
            self._entries.clear()
        else:
            self._entries.drop(_field(hold.key) for hold in holds)
        self.changed("")

    def follow(self, field: str, entry: Entry, /) -> None:
        """Keep a hold that another process has got."""
        assert entry.until is not None  # a hold ends
        hold = Hold(until=entry.until, **{name: entry.value[name] for name in _FIELDS})
        self._keys[field] = hold.key
        now = self._clock.monotonic()
        if self._holds.follow(now, hold, TOLERANCE):
            self._emit("hold_started", hold, reason=hold.reason, retry_after=entry.until - now, until=self._until(hold))

    def end(self, field: str) -> None:
        """Release a hold that another process has released, and what the quotas of its policies keep of it."""
        key, now, shared = self._keys.pop(field, None), self._clock.monotonic(), self._shared()
        ended = self._holds.end(hold for hold in self._holds.current(now) if hold.key == key)
        for hold in ended:
            if shared is not None:
                shared.release_limits(self._holds.policies_of(hold))
            self._emit("hold_ended", hold, reason="released")

    def _until(self, hold: Hold) -> float:
        return self._clock.time() + hold.until - self._clock.monotonic()

    def _emit(self, name: str, hold: Hold, **fields: Any) -> None:
        place = {"policy": hold.policy, "operation": hold.operation, "scope": hold.scope, "host": hold.host}
        self._events.emit(name, **place, by="fleet", **fields)


def _field(key: Key) -> str:
    return digest_of(key)
