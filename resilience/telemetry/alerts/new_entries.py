"""Decides which entries of the inbox are new: those that nobody has been alerted to, or not for long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..._core.base.bounded_dict import BoundedDict
from ..inbox_entry import InboxEntry

__all__ = ["NewEntries"]

MAX_REMEMBERED = 20_000
_EPISODES = ("write_in_doubt", "isolated", "policy_rejected")
"""Kinds that a person causes or that are one of a kind: each has an alert of its own, however soon it follows."""


class _Alerted(NamedTuple):
    """When somebody was alerted to an entry, when it had begun, and when it was last there."""

    at: float
    since: float
    seen: float


class NewEntries:
    """Remembers what somebody was alerted to. Used by one thread."""

    def __init__(self, *, remind_after: float, gone_for: float) -> None:
        """Remember nothing yet.

        Args:
            remind_after: seconds after which an entry that is still there, and still happens, is new once more.
            gone_for: seconds for which an entry must have been gone so that it is new when it comes back. A breaker
                that opens and closes all the time is one alert.
        """
        self._remind_after, self._gone_for = remind_after, gone_for
        self._not_before = float("-inf")
        self._alerted: BoundedDict[str, _Alerted] = BoundedDict(MAX_REMEMBERED)

    def leave_to_parent(self, forked_at: float) -> None:
        """Let nothing be new that had begun before this process was forked, in Unix seconds: the parent sends it."""
        self._not_before = forked_at

    def take(self, entries: Iterable[InboxEntry], at: float) -> list[InboxEntry]:
        """Return the new ones of the present entries, and remember them.

        Args:
            entries: everything that is in the inbox.
            at: Unix seconds.
        """
        new = []
        for entry in entries:
            before = self._alerted.pop(entry.id, None)  # and added again: what is there is forgotten last
            if before is None or self._is_new(entry, before, at):
                before = _Alerted(at, entry.since, at)
                if entry.since >= self._not_before:
                    new.append(entry)
            self._alerted[entry.id] = before._replace(seen=at)
        return new

    def _is_new(self, entry: InboxEntry, before: _Alerted, at: float) -> bool:
        if entry.last > before.at and at - before.at >= self._remind_after:
            return True
        has_begun_again = entry.since > before.since
        return has_begun_again and (entry.kind in _EPISODES or entry.since - before.seen >= self._gone_for)
