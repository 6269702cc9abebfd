"""Keeps the quotas and admissions that the pipelines of one set of policies share; each is made at its first use.

They are kept by name and key, so that sync and async users share them, and so that a reload forgets neither what was
sent nor what is running.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from .._core.base.bounded_dict import BoundedDict
from .._core.base.clock import Clock
from .._core.base.fork_safety import new_lock
from .._core.call.operation_info import OperationInfo
from .._core.policy.policy import Policy
from .._core.policy.sections import QuotaSettings
from .._core.stages.admission import Admission
from .._core.stages.quota import Quota, Quotas
from .._core.stages.rate_window import RateWindow
from .quota_moves import identity_of, moves_between

__all__ = ["LimitPool", "consumes"]

MAX_QUOTAS = 4096  # from here on, those are forgotten in which no send counts any more
_Name = tuple[Any, ...]
NewWindow = Callable[[_Name, str, int, float], RateWindow]


class LimitPool:
    """The quotas and admissions of one set of policies. Safe across threads, tasks and signal handlers.

    Where there are very many keys, quotas in which no send counts any more are forgotten; others never are, nor is a
    quota that compiled calls refer to, so that there are never two for one key.

    Every change of a dict below is one step: a signal handler that interrupts a method and makes a call of its own gets
    the same quotas.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = new_lock()
        self._quotas = self._new_quotas()
        self._admissions: dict[str, Admission] = {}
        self._new_window: NewWindow | None = None

    def share(self, new_window: NewWindow | None) -> None:
        """Share all quotas with other processes, or none; what was sent still counts.

        Args:
            new_window: makes a window that is shared, from the quota's name and key, the lane, sends and span.
        """
        with self._lock:
            if new_window is not self._new_window:
                self._new_window = new_window
                for name, quota in tuple(self._quotas.items()):
                    self._quotas[name] = self._make(quota.settings, name, quota.key, quota)

    def quotas(
        self, policy: Policy, info: OperationInfo, keys: Mapping[int, str], *, keep_state: bool = False
    ) -> Quotas | None:
        """Return the quotas that an operation consumes, or None where it consumes none.

        Args:
            policy: the policy.
            info: the operation.
            keys: what the key functions of quota entries returned, by the entry's index; entries whose key function
                is not among them are left out.
            keep_state: the policy is that of a file: a quota of other settings takes the new ones and keeps its state.
        """
        entries = []
        for index, settings in enumerate(policy.quota):
            if consumes(info.operation, settings) and (index in keys or not callable(settings.key)):
                key = (keys[index],) if index in keys else _key(settings, info)
                name = (identity_of(policy.name, index, settings), *key)
                entries.append((self._quota(settings, name, key, keep_state), settings.weight))
        return Quotas(entries) if entries else None

    def admission(self, policy: Policy) -> Admission | None:
        """Return the one admission of this policy, with the policy's settings, or None when it has none."""
        settings = policy.admission
        if settings is None:
            return None
        with self._lock:
            admission = self._admissions.get(policy.name)
            if admission is None:
                admission = self._admissions.setdefault(policy.name, Admission(settings))
        if admission.settings != settings:
            admission.retune(settings)
        return admission

    def all_quotas(self) -> list[tuple[str | None, str | None, Quota]]:
        """Return every quota with its policy, or with its name where the file gives it one and policies share it."""
        quotas = [(name[0], quota) for name, quota in self._quotas.copy().items()]
        shared = [(None, identity, quota) for identity, quota in quotas if isinstance(identity, str)]
        # Those of three parts were put aside by a reload.
        own = [(identity[0], None, quota) for identity, quota in quotas if type(identity) is tuple and not identity[2:]]
        return [*own, *shared]

    def admissions(self) -> dict[str, Admission]:
        """Return the admission of each policy that has one."""
        return self._admissions.copy()

    def retune(self, before: Mapping[str, Policy], after: Mapping[str, Policy]) -> None:
        """Give quotas and admissions the settings of a reloaded file; they keep their state."""
        moves = moves_between(before, after)
        with self._lock:
            moved = self._new_quotas()
            before_move = self._quotas
            quotas = tuple(before_move.items())
            for name, quota in quotas:
                identity, settings = moves.get(name[0], (name[0], None))
                if settings is not None and _shape(quota.settings) != _shape(settings):
                    quota.retune(settings)
                new_name = (identity, *name[1:])
                if self._new_window is not None and new_name != name:  # other processes know it by its new name
                    quota = self._make(quota.settings, new_name, quota.key, quota)
                moved.setdefault(new_name, quota)
            for name in before_move.keys() - dict(quotas).keys():  # made by a signal handler meanwhile
                moved.setdefault(name, before_move[name])
            self._quotas = moved
        for policy in after.values():
            if policy.name in self._admissions:
                self.admission(policy)

    def release(self, now: float, policy: Policy | None = None) -> None:
        """Lift the holds of all quotas, or of those that a policy has."""
        names = None if policy is None else {identity_of(policy.name, *entry) for entry in enumerate(policy.quota)}
        with self._lock:
            entries = tuple(self._quotas.items())
            quotas = [quota for name, quota in entries if names is None or name[0] in names]
        for quota in quotas:
            quota.release(now)

    def _new_quotas(self) -> BoundedDict[_Name, Quota]:
        return BoundedDict(MAX_QUOTAS, self._empty_quotas)

    def _empty_quotas(self) -> list[_Name]:
        now = self._clock.monotonic()
        return [name for name, quota in self._quotas.copy().items() if quota.is_empty(now)]

    def _quota(self, settings: QuotaSettings, name: _Name, key: Sequence[str], keep_state: bool) -> Quota:
        with self._lock:
            quota = self._quotas.get(name)
            if quota is not None and _shape(quota.settings) == _shape(settings):
                return quota
            if quota is not None and keep_state:
                quota.retune(settings)
                return quota
            created = self._make(settings, name, " ".join(filter(None, key)), quota)
            if quota is None:
                return self._quotas.setdefault(name, created)
            self._quotas[name] = created
            return created

    def _make(self, settings: QuotaSettings, name: _Name, key: str, before: Quota | None) -> Quota:
        return Quota(settings, key, before, None if self._new_window is None else partial(self._new_window, name))


def consumes(operation: str, quota: QuotaSettings) -> bool:
    """Whether an operation consumes this quota."""
    return not quota.operations or any(operation == glob or fnmatchcase(operation, glob) for glob in quota.operations)


def _key(settings: QuotaSettings, info: OperationInfo) -> tuple[str, ...]:
    """Return the key of an operation's quota.

    An account's key includes the host, because accounts of two hosts are two accounts. A host's key is the host alone:
    its limit counts all accounts together.
    """
    host, account = info.host or "", info.account or ""
    if settings.key == "host":
        return (host,)
    return (info.operation, host, account) if settings.key == "operation" else (host, account)


def _shape(settings: QuotaSettings) -> tuple[Any, ...]:
    """Return the settings of the window itself; `operations` and `weight` are the affair of each operation."""
    return settings.rate, settings.burst, settings.reserve
