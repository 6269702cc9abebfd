"""Finds out which quota of a reloaded policy file continues which quota of the file before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.policy.policy import Policy
from .._core.policy.section import changed
from .._core.policy.sections import QuotaSettings

__all__ = ["identity_of", "moves_between"]

Moves = dict[Any, tuple[Any, QuotaSettings]]


def identity_of(policy: str, index: int, settings: QuotaSettings) -> Any:
    """Return what identifies a quota entry: its name, else its index in its policy."""
    return settings.name or (policy, index)


def moves_between(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> Moves:
    """Return the identity and settings of each quota after a reload, by its identity before.

    An entry is recognised by its name, else by equal settings, else by its index. An entry that is gone is kept aside:
    where the next reload brings the same settings back, as when a mistaken edit is undone, its count continues.
    """
    moves: Moves = {}
    for policy, settings in after.items():
        old = dict(enumerate(before[policy].quota)) if policy in before else {}
        new = dict(enumerate(settings.quota))
        for is_same in (_same_name, _same_settings, _same_index):
            for index, entry in tuple(new.items()):  # a copy, because matched entries are taken out
                match = next((number for number, other in old.items() if is_same(number, other, index, entry)), None)
                if match is not None:
                    del new[index]
                    moves[identity_of(policy, match, old.pop(match))] = identity_of(policy, index, entry), entry
        for index, entry in old.items():
            if entry.name is None:  # a named one is found again by its name
                moves[policy, index] = _aside(policy, entry), entry
        for index, entry in new.items():
            moves.setdefault(_aside(policy, entry), (identity_of(policy, index, entry), entry))
    return moves


def _aside(policy: str, settings: QuotaSettings) -> tuple[Any, ...]:
    return "aside", policy, changed(settings, name=None)


def _same_name(_old_index: int, old: QuotaSettings, _index: int, new: QuotaSettings) -> bool:
    return new.name is not None and new.name == old.name


def _same_settings(_old_index: int, old: QuotaSettings, _index: int, new: QuotaSettings) -> bool:
    return changed(new, name=None) == changed(old, name=None)


def _same_index(old_index: int, old: QuotaSettings, index: int, new: QuotaSettings) -> bool:
    return old_index == index and (new.name is None or old.name is None)
