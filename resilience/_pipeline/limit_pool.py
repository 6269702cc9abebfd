"""The quotas and the admissions that the pipelines of one set of policies share, made when they are first asked for.

They are kept by name and by key, so that sync and async users share them, and so that a reload
forgets neither what was sent nor what is running.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from .._core.base.clock import Clock
from .._core.base.fork_safety import new_lock
from .._core.call.operation_info import OperationInfo
from .._core.policy.policy import Policy
from .._core.policy.sections import QuotaSettings
from .._core.stages.admission import Admission
from .._core.stages.quota import Quota, Quotas

__all__ = ["LimitPool", "pays"]

_MOST = 4096  # windows kept; the one that was made first is forgotten first


class LimitPool:
    """Safe across threads and tasks."""

    def __init__(self) -> None:
        self._lock = new_lock()
        self._quotas: dict[tuple[Any, ...], Quota] = {}
        self._admissions: dict[str, Admission] = {}

    def quotas(
        self, policy: Policy, info: OperationInfo, named: Mapping[int, str], *, keep: bool = False
    ) -> Quotas | None:
        """Return what an operation pays, or None for nothing; `named` are the keys that functions told, by entry.

        `keep` says that the policy is that of a file: a window of other settings takes these over.
        """
        found = []
        for place, one in enumerate(policy.quota):
            if pays(one, info.operation) and (place in named or not callable(one.key)):
                key = (named[place],) if place in named else _key(one, info)
                name = (_identity(policy.name, place, one), *key)
                found.append((self._quota(one, name, key, keep), one.weight))
        return Quotas(found) if found else None

    def admission(self, policy: Policy) -> Admission | None:
        """Return the one admission of this policy; other settings are taken over by it."""
        rules = policy.admission
        if rules is None:
            return None
        with self._lock:
            found = self._admissions.get(policy.name)
            if found is None:
                found = self._admissions[policy.name] = Admission(rules)
        if found.settings != rules:
            found.retune(rules)
        return found

    def retune(self, before: Mapping[str, Policy], after: Mapping[str, Policy]) -> None:
        """Let windows and slots take the settings of a reloaded file over, and go on."""
        moves = _moves(before, after)
        with self._lock:
            moved: dict[tuple[Any, ...], Quota] = {}
            for name, quota in self._quotas.items():
                identity, settings = moves.get(name[0], (name[0], None))
                if settings is not None and _shape(quota.settings) != _shape(settings):
                    quota.retune(settings)
                moved.setdefault((identity, *name[1:]), quota)
            self._quotas = moved
        for policy in after.values():
            if policy.name in self._admissions:
                self.admission(policy)

    def describe(self, policy: Policy, info: OperationInfo, clock: Clock) -> dict[str, Any]:
        """Return the quotas and the slots of an operation as plain data, those left out whose keys a function tells."""
        now, admission = clock.monotonic(), self.admission(policy)
        quotas = self.quotas(policy, info, {})
        return {
            "quota": [_told(one, now) for one in (quotas.entries if quotas is not None else ())],
            "admission": None
            if admission is None
            else {
                "max_concurrent": admission.settings.max_concurrent,
                "max_queue": admission.settings.max_queue,
                "lanes": {lane or "default": counts for lane, counts in admission.counts().items()},
            },
        }

    def _quota(self, settings: QuotaSettings, name: tuple[Any, ...], key: Sequence[str], keep: bool) -> Quota:
        with self._lock:
            found = self._quotas.get(name)
            if found is not None and keep:
                if _shape(found.settings) != _shape(settings):
                    found.retune(settings)
            elif found is None or _shape(found.settings) != _shape(settings):
                if len(self._quotas) >= _MOST:
                    self._quotas.pop(next(iter(self._quotas)))
                told = " ".join(one for one in key if one)
                found = self._quotas[name] = Quota(settings, told, found)
            return found


def _told(quota: Quota, now: float) -> dict[str, Any]:
    held = quota.held_until - now
    return {
        "key": quota.key,
        "burst": quota.settings.burst,
        "span": quota.span,
        "left": quota.left(now),
        "held_for": held if held > 0 else None,
    }


def pays(one: QuotaSettings, operation: str) -> bool:
    """Tell whether an operation pays this quota."""
    return not one.operations or any(operation == glob or fnmatchcase(operation, glob) for glob in one.operations)


def _key(one: QuotaSettings, info: OperationInfo) -> tuple[str, ...]:
    """Return what a window is kept for: a host's limits count all of its accounts, every other one those of an account.

    Accounts of two hosts are two accounts.
    """
    host, account = info.host or "", info.account or ""
    if one.key == "host":
        return (host,)
    return (info.operation, host, account) if one.key == "operation" else (host, account)


def _shape(settings: QuotaSettings) -> tuple[Any, ...]:
    """Return what makes a window; who pays it, and how much, is each operation's own affair."""
    return settings.rate, settings.burst, settings.reserve


def _identity(policy: str, place: int, one: QuotaSettings) -> Any:
    """Return what a window goes by: its name, else its place in its policy."""
    return one.name or (policy, place)


def _moves(before: Mapping[str, Policy], after: Mapping[str, Policy]) -> dict[Any, tuple[Any, QuotaSettings]]:
    """Return where each window of a file went: identity before → (identity, settings) now.

    An entry is known again by its name; without one by what it says, and else by its place.
    """
    moves: dict[Any, tuple[Any, QuotaSettings]] = {}
    for name, policy in after.items():
        old = dict(enumerate(before[name].quota)) if name in before else {}
        new = dict(enumerate(policy.quota))
        for alike in (_same_name, _same_words, _same_place):
            for place, one in tuple(new.items()):
                was = next((at for at, other in old.items() if alike(at, other, place, one)), None)
                if was is not None:
                    moves[_identity(name, was, old.pop(was))] = _identity(name, place, new.pop(place)), one
        for place, one in old.items():  # gone, perhaps for one reload: it keeps its count aside
            if one.name is None:
                moves[name, place] = _aside(name, one), one
        for place, one in new.items():
            moves.setdefault(_aside(name, one), (_identity(name, place, one), one))
    return moves


def _aside(policy: str, one: QuotaSettings) -> tuple[Any, ...]:
    return "aside", policy, replace(one, name=None)


def _same_name(_at: int, other: QuotaSettings, _place: int, one: QuotaSettings) -> bool:
    return one.name is not None and one.name == other.name


def _same_words(_at: int, other: QuotaSettings, _place: int, one: QuotaSettings) -> bool:
    return replace(one, name=None) == replace(other, name=None)


def _same_place(at: int, other: QuotaSettings, place: int, one: QuotaSettings) -> bool:
    return at == place and (one.name is None or other.name is None)
