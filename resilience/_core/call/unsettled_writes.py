"""Remembers the writes that ended with an unknown outcome, until something settles them.

A write is settled by a later call with its key that ends for certain, such as that of `Outbox.resume`, by a stream that
reports its order, or by a lookup that a person asks for. One without a key stays: nobody can look it up. One in an
outbox that several processes share has an owner, which may be another process by now, and may have settled it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..base.bounded_dict import BoundedDict
from ..classify.failure import Failure
from .late_lookup import LateLookup

__all__ = ["UnsettledWrite", "UnsettledWrites", "WriteOwner"]

MAX_WRITES = 10_000  # from here on the oldest is forgotten


class WriteOwner:
    """Which process has a write of a shared outbox, as far as the outbox of this one has seen. Its thread writes it.

    Attributes:
        name: the process.
        is_settled: it has settled the write.
    """

    __slots__ = ("__weakref__", "is_settled", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_settled = False


class UnsettledWrite(NamedTuple):
    """One write whose outcome nobody knows.

    Attributes:
        policy: the policy's name.
        operation: the operation's name.
        key: its idempotency key, or None.
        since: when its call ended, Unix seconds.
        code: the API's last code, or None.
        remedy: what a human can do.
        attempts: how many attempts were made.
        lookup: looks it up; None where it cannot be.
    """

    policy: str
    operation: str
    key: str | None
    since: float
    code: str | None
    remedy: str | None
    attempts: int
    lookup: LateLookup | None = None

    @property
    def no_lookup(self) -> str | None:
        """Why it cannot be looked up, or None."""
        if self.key is None:
            return "it was sent without a key"
        return "its operation has no lookup" if self.lookup is None else None


_DESCRIBED = ("policy", "operation", "key", "since", "code", "remedy", "attempts")


class UnsettledWrites:
    """The writes in doubt of one set of policies. Safe across threads, tasks and signal handlers.

    Attributes:
        by_key: the writes, by key, or by an object of their own; empty in the ordinary case.
    """

    __slots__ = ("__weakref__", "_current_place", "_owners", "by_key")

    def __init__(self, current_place: Callable[[], Any] | None = None) -> None:
        """Begin without a write.

        Args:
            current_place: returns the event loop that runs now, or None; where a write's client can be used later.
        """
        self._current_place = current_place
        self.by_key: BoundedDict[Any, UnsettledWrite] = BoundedDict(MAX_WRITES)
        self._owners: BoundedDict[str, WriteOwner] = BoundedDict(MAX_WRITES)

    def add(
        self,
        policy: str,
        operation: str,
        failure: Failure,
        now: float,
        lookup: LateLookup | None = None,
        *,
        is_inner: bool = False,
    ) -> None:
        """Add a write that ended in this failure.

        Args:
            policy: the policy's name.
            operation: the operation's name.
            failure: how its call ended.
            now: Unix seconds.
            lookup: looks it up; None where it cannot be.
            is_inner: a call inside this one has sent it, and has added it before.
        """
        earlier = None if failure.key is None else self.by_key.get(failure.key)
        if is_inner:
            lookup = None if earlier is None else earlier.lookup
        elif lookup is not None:
            lookup.place = None if self._current_place is None else self._current_place()
            if earlier is not None:
                lookup.take_over(earlier.lookup)
        write = UnsettledWrite(
            policy, operation, failure.key, now, failure.code, failure.remedy or None, failure.attempts or 0, lookup
        )
        self.by_key[object() if failure.key is None else failure.key] = write

    def settle(self, key: str | None) -> None:
        """Forget the write with this key: its outcome is known now."""
        if key is not None:
            self.by_key.pop(key, None)
            self._owners.pop(key, None)

    def set_owner(self, key: str, owner: WriteOwner) -> None:
        """Note who has the write with this key, which is in a shared outbox, before or after it is added."""
        self._owners[key] = owner

    def is_shared(self, key: str) -> bool:
        """Return whether the write is in an outbox from which another process may take it, and send it again."""
        return key in self._owners

    def describe(self) -> list[dict[str, Any]]:
        """Return the writes as plain data, the oldest first."""
        for key, owner in self._owners.copy().items():
            if owner.is_settled:
                self.settle(key)
        owners = {key: owner.name for key, owner in self._owners.copy().items()}
        return [
            {
                **{name: getattr(write, name) for name in _DESCRIBED},
                "owner": owners.get(key),
                "no_lookup": write.no_lookup,
            }
            for key, write in self.by_key.copy().items()
        ]
