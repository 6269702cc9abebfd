"""Remembers the writes that ended with an unknown outcome, until something settles them.

A write is settled by a later call with its key that ends for certain, such as that of `Outbox.resume`, by a stream that
reports its order, or by a lookup that a person asks for. One without a key stays: nobody can look it up. One in an
outbox that several processes share has an owner, which may be another process by now, and may have settled it.

A bot that trades at two venues, or for two accounts, may use one key at both. Such writes are told apart by host and
account; where one of them is not known, as of a function that calls a client, it counts as the same.
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
        host: the host that it was sent to, or None if that is not known.
        account: the account that it was sent for, or None.
    """

    policy: str
    operation: str
    key: str | None
    since: float
    code: str | None
    remedy: str | None
    attempts: int
    lookup: LateLookup | None = None
    host: str | None = None
    account: str | None = None

    @property
    def no_lookup(self) -> str | None:
        """Why it cannot be looked up, or None."""
        if self.key is None:
            return "it was sent without a key"
        return "its operation has no lookup" if self.lookup is None else None


_Id = tuple[Any, str | None, str | None]
"""Key (an object of its own where there is none), host and account."""
_DESCRIBED = ("policy", "operation", "key", "since", "code", "remedy", "attempts")


class UnsettledWrites:
    """The writes in doubt of one set of policies. Safe across threads, tasks and signal handlers.

    Attributes:
        by_id: the writes, by key, host and account; empty in the ordinary case.
    """

    __slots__ = ("__weakref__", "_current_place", "_owners", "_rows", "by_id")

    def __init__(self, current_place: Callable[[], Any] | None = None) -> None:
        """Begin without a write.

        Args:
            current_place: returns the event loop that runs now, or None; where a write's client can be used later.
        """
        self._current_place = current_place
        self.by_id: BoundedDict[_Id, UnsettledWrite] = BoundedDict(MAX_WRITES)
        self._owners: BoundedDict[str, WriteOwner] = BoundedDict(MAX_WRITES)
        self._rows: BoundedDict[str, Callable[[], bool]] = BoundedDict(MAX_WRITES)

    def add(
        self,
        policy: str,
        operation: str,
        failure: Failure,
        now: float,
        lookup: LateLookup | None = None,
        *,
        host: str | None = None,
        account: str | None = None,
        is_inner: bool = False,
    ) -> None:
        """Add a write that ended in this failure.

        Args:
            policy: the policy's name.
            operation: the operation's name.
            failure: how its call ended.
            now: Unix seconds.
            lookup: looks it up; None where it cannot be.
            host: the host that it was sent to, or None if that is not known.
            account: the account that it was sent for, or None.
            is_inner: a call inside this one has sent it, and has added it before.
        """
        same = [] if failure.key is None else self._ids(failure.key, host, account)
        earlier = self.by_id.get(same[-1]) if same else None
        if is_inner:
            lookup = None if earlier is None else earlier.lookup
        elif lookup is not None:
            lookup.place = None if self._current_place is None else self._current_place()
            if earlier is not None:
                lookup.take_over(earlier.lookup)
        if earlier is not None and host is None:  # a function around the call, say
            host, account = earlier.host, earlier.account
        write = UnsettledWrite(
            policy, operation, failure.key, now, failure.code, failure.remedy or None, failure.attempts or 0, lookup,
            host, account,
        )  # fmt: skip
        identity = (object() if failure.key is None else failure.key, host, account)
        self.by_id[identity] = write
        if earlier is not None and same[-1] != identity:
            self.by_id.pop(same[-1], None)

    def settle(self, key: str | None, host: str | None = None, account: str | None = None) -> None:
        """Forget the write with this key: its outcome is known now.

        Args:
            key: its key; None does nothing.
            host: the host that it was sent to; None for any.
            account: the account that it was sent for; None for any.
        """
        if key is None:
            return
        for identity in self._ids(key, host, account):
            self.by_id.pop(identity, None)
        if not self.with_key(key):
            self._owners.pop(key, None)
            self._rows.pop(key, None)

    def with_key(self, key: str) -> list[UnsettledWrite]:
        """Return the writes with this key, the oldest first; more than one where it was used at several venues."""
        return [write for write in self.by_id.copy().values() if write.key == key]

    def _ids(self, key: str, host: str | None, account: str | None) -> list[_Id]:
        """Return which writes with this key are, or may be, those of this host and account."""
        return [
            one for one in tuple(self.by_id) if one[0] == key and _may_be(one[1], host) and _may_be(one[2], account)
        ]

    def set_owner(self, key: str, owner: WriteOwner) -> None:
        """Note who has the write with this key, which is in a shared outbox, before or after it is added."""
        self._owners[key] = owner

    def is_shared(self, key: str) -> bool:
        """Return whether the write is in an outbox from which another process may take it, and send it again."""
        return key in self._owners

    def set_row(self, key: str, fail: Callable[[], bool]) -> None:
        """Note that the write with this key has a row in an outbox, by which it may be sent again.

        Args:
            key: its key.
            fail: settles its row as not executed, and returns False if it cannot be or somebody works on it.
        """
        self._rows[key] = fail

    def fail_row(self, key: str) -> bool:
        """Settle the row of a write, if it has one, as not executed; return False if it may be sent again by it."""
        fail = self._rows.get(key)
        return fail is None or fail()

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
            for (key, _, _), write in self.by_id.copy().items()
        ]


def _may_be(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other
