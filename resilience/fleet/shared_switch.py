"""Shares the kill switch: what one process isolates by hand is isolated in all, until one of them releases it.

Processes that start later obey it from their first call on. A store that was flushed gets it back.
"""

from __future__ import annotations

from .entries_part import EntriesPart
from .part_inputs import PartInputs
from .shared_entries import Entry

__all__ = ["SharedSwitch"]

_ALL = "*"


class SharedSwitch(EntriesPart):
    """The isolations that somebody gave by hand. Those of files and of the environment stay in their process."""

    def __init__(self, inputs: PartInputs) -> None:
        """Share what is isolated already, too."""
        super().__init__(inputs, "switch")
        self._isolations = inputs.shared.isolations
        self._member = inputs.membership
        for isolation in self._isolations.by_hand():
            self.isolated(isolation.policy, isolation.reason, cancels=isolation.cancels)
        self._isolations.switch = self

    def leave(self) -> None:
        """Share no isolations any more; those that are known stay."""
        if self._isolations.switch is self:
            self._isolations.switch = None

    def isolated(self, policy: str | None, reason: str, *, cancels: bool) -> None:
        """Have the other processes isolate a policy, or all. Never waits."""
        value = {
            "policy": policy,
            "reason": reason,
            "cancels": cancels,
            "since": self._clock.time(),
            "member": self._member.member,
        }
        self._entries.add(_field(policy), value, None)
        self.changed("")

    def released(self, policy: str | None) -> None:
        """Have the other processes release a policy, or all. Never waits."""
        if policy is None:
            self._entries.clear()
        else:
            self._entries.drop([_field(policy)])
        self.changed("")

    def follow(self, _field: str, entry: Entry, /) -> None:
        """Isolate what another process has isolated."""
        value = entry.value
        self._isolations.follow(value["policy"], value["reason"], cancels=value["cancels"])

    def end(self, field: str) -> None:
        """Release what another process has released."""
        self._isolations.follow_release(None if field == _ALL else field[1:])


def _field(policy: str | None) -> str:
    return _ALL if policy is None else f"={policy}"
