"""Keeps the waits that an API has asked for, and says which operations they concern.

A hold is kept for everything that the API's answer speaks of, with or without a quota in the policy: a ban for all
operations of a host and account, a rate limit or an overload for one operation. Until it ends, nothing is sent.

`Holds` is shared by all pipelines of one set of policies. Each plan refers to the `OperationHold` of its host, account
and operation, whose `current` is empty in the ordinary case: that is all that a driver reads on the success path. What
somebody has isolated by hand stands there too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from ..base.fork_safety import new_lock
from .isolation import Isolation

__all__ = ["MAX_HOLDS", "Hold", "Holds", "OperationHold"]

MAX_HOLDS = 1024
"""Holds from which on those that have ended are forgotten. Holds that still last are never forgotten."""
Key = tuple[str, str, str | None]


class Hold(NamedTuple):
    """One wait that an API has asked for. Never changed: a longer one replaces it.

    Attributes:
        scope: `host` for all operations of a host and account, or `operation` for one of them.
        host: the host; empty where none is known.
        account: the account's name, which is no secret; empty where none is known.
        operation: the operation to which the API gave the answer.
        until: the monotonic instant at which it ends.
        reason: `ban` or `retry_after`.
        policy: name of the policy of the call that got the answer.
        is_long: whether it was longer than that policy's `hold_max`.
    """

    scope: str
    host: str
    account: str
    operation: str
    until: float
    reason: str
    policy: str = ""
    is_long: bool = False

    @property
    def key(self) -> Key:
        """What is held; the operation is None where all are."""
        return self.host, self.account, self.operation if self.scope == "operation" else None


class OperationHold:
    """The holds that concern one operation of one host and account. Shared by threads and tasks.

    Attributes:
        key: host, account and operation; host and account are empty where they are unknown.
        current: the holds and isolations, as the keys of a dict; empty in the ordinary case. A hold that is over stays
            until the first call that passes.
        policies: the names of the policies under which the operation runs.
    """

    __slots__ = ("__weakref__", "_holds", "current", "key", "policies")

    def __init__(self, holds: Holds, key: tuple[str, str, str]) -> None:
        self._holds = holds
        self.key = key
        self.current: dict[Hold | Isolation, bool] = {}
        self.policies: dict[str, bool] = {}

    @property
    def holds(self) -> list[Hold]:
        """The holds alone."""
        return [one for one in tuple(self.current) if isinstance(one, Hold)]

    def isolation(self, policy: str) -> Isolation | None:
        """Return the isolation of a policy under which the operation runs, or None."""
        isolations = [one for one in tuple(self.current) if isinstance(one, Isolation) and one.concerns(policy)]
        return isolations[0] if isolations else None

    def ready_at(self, now: float) -> float:
        """Return the instant from which an attempt may be sent: `now`, or the end of the longest hold."""
        return max([now, *(hold.until for hold in self.holds)])

    def start(self, now: float, hold: Hold) -> bool:
        """Keep a hold that an answer to this operation asks for; returns whether it is news that must be reported."""
        return self._holds.start(now, self, hold)

    def end_over(self, now: float) -> list[Hold]:
        """Forget the holds that are over; each of them is returned to one caller alone, which reports its end."""
        return self._holds.end(hold for hold in self.holds if hold.until <= now)


class Holds:
    """The holds of one set of policies. Safe across threads and tasks; times are monotonic seconds.

    Every change of a dict below is one operation in C, and a hold is put where new operations find it before it is
    given to the known ones. So a signal handler that interrupts a method, and makes a call of its own, loses no hold.
    The lock is reentrant for the same reason.

    Attributes:
        on_start: called with each hold that an API asks this process for, so that other processes get it too. It must
            not wait.
    """

    def __init__(self) -> None:
        self._lock = new_lock()
        self.on_start: Callable[[Hold], None] | None = None
        self._holds: dict[Hold, bool] = {}
        self._isolations: dict[Isolation, bool] = {}
        # Weak: the plans keep them alive. Names of operations may be without number, plans are not.
        self._operations: WeakValueDictionary[tuple[str, str, str], OperationHold] = WeakValueDictionary()

    def of(self, host: str | None, account: str | None, operation: str, policy: str) -> OperationHold:
        """Return the holds of an operation, the same object for all plans of it."""
        key = (host or "", account or "", operation)
        with self._lock:
            state = self._operations.get(key)
            if state is None:
                state = self._operations.setdefault(key, OperationHold(self, key))
                for hold in tuple(self._holds):
                    if _concerns(hold, state):
                        state.current[hold] = True
            state.policies[policy] = True
            for isolation in tuple(self._isolations):
                if isolation.concerns(policy):
                    state.current[isolation] = True
                    self._forget_if_ended(isolation)
            return state

    @property
    def isolations(self) -> list[Isolation]:
        """The isolations in force, the oldest first."""
        if not self._isolations:
            return []
        isolations = list(self._isolations)  # a copy in one call into C: a handler may change it
        return sorted(isolations, key=lambda isolation: isolation.since)

    def isolate(self, isolation: Isolation) -> None:
        """Let no operation of a policy be sent; replaces an earlier isolation of the same policy by the same hand."""
        key = isolation.policy, isolation.by
        with self._lock:
            before = [one for one in tuple(self._isolations) if (one.policy, one.by) == key]
            self._isolations[isolation] = True
            for state in self._states():
                if any(isolation.concerns(policy) for policy in tuple(state.policies)):
                    state.current[isolation] = True
            self._forget_if_ended(isolation)
            self.end_isolations(before)

    def end_isolations(self, isolations: Iterable[Isolation]) -> list[Isolation]:
        """End isolations; each of them is returned to one caller alone, which reports its end."""
        with self._lock:
            ended = [one for one in isolations if self._isolations.pop(one, False)]
            for isolation in ended:
                self._forget(isolation)
            return ended

    def _forget_if_ended(self, isolation: Isolation) -> None:
        # A signal handler may have released it while it was given to operations, which nobody could release again.
        if isolation not in self._isolations:
            self._forget(isolation)

    def _forget(self, isolation: Isolation) -> None:
        for state in self._states():
            state.current.pop(isolation, None)

    def start(self, now: float, source: OperationHold, hold: Hold) -> bool:
        """Keep a hold; one of the same key that ends later makes it void.

        Args:
            now: the present instant.
            source: the operation to which the API gave the answer.
            hold: the hold; its key concerns that operation.

        Returns:
            Whether it must be reported: it is the first of its key, or the first that is longer than `hold_max`.
        """
        with self._lock:
            same = [other for other in source.holds if other.key == hold.key and other.until > now]
            if any(other.until >= hold.until for other in same):
                return False
            self._keep(now, hold, source)
            self.end(same)  # replaced by the longer one
        if self.on_start is not None:
            self.on_start(hold)
        return not same or (hold.is_long and not any(other.is_long for other in same))

    def follow(self, now: float, hold: Hold, tolerance: float = 0.0) -> bool:
        """Keep a hold that another process got; returns whether it is the first of its key.

        Args:
            now: the present instant.
            hold: the hold.
            tolerance: seconds by which it must be longer than one that is known, because its end is not known exactly.
        """
        with self._lock:
            same = [other for other in tuple(self._holds) if other.key == hold.key and other.until > now]
            if any(other.until + tolerance >= hold.until for other in same):
                return False
            self._keep(now, hold)
            self.end(same)
            return not same

    def _keep(self, now: float, hold: Hold, *sources: OperationHold) -> None:
        if len(self._holds) >= MAX_HOLDS:
            self.end(other for other in tuple(self._holds) if other.until <= now)
        self._holds[hold] = True
        for state in {id(state): state for state in (*sources, *self._concerned(hold))}.values():
            state.current[hold] = True

    def end(self, holds: Iterable[Hold]) -> list[Hold]:
        """Forget holds; returns those that nobody else has ended before."""
        with self._lock:
            ended = []
            for hold in holds:
                if self._holds.pop(hold, False):
                    ended.append(hold)
                for state in self._concerned(hold):
                    state.current.pop(hold, None)
            return ended

    def release(self, policy: str | None = None) -> list[Hold]:
        """Forget every hold, or those that concern a policy, and return them."""
        return self.end(hold for hold in tuple(self._holds) if policy is None or policy in self.policies_of(hold))

    def current(self, now: float) -> list[Hold]:
        """Return the holds that last, those that end first coming first."""
        return sorted((hold for hold in tuple(self._holds) if hold.until > now), key=lambda hold: hold.until)

    def policies_of(self, hold: Hold) -> list[str]:
        """Return the names of the policies whose operations are held."""
        names = {hold.policy}.union(*(tuple(state.policies) for state in self._concerned(hold)))
        return sorted(names)

    def _concerned(self, hold: Hold) -> list[OperationHold]:
        if hold.scope == "operation":
            state = self._operations.get((hold.host, hold.account, hold.operation))
            return [] if state is None else [state]
        return [state for state in self._states() if _concerns(hold, state)]

    def _states(self) -> list[OperationHold]:
        # `valuerefs` copies in one call into C, so that another thread or a signal handler may add operations.
        states: list[Any] = [reference() for reference in self._operations.valuerefs()]
        return [state for state in states if state is not None]


def _concerns(hold: Hold, state: OperationHold) -> bool:
    host, account, operation = hold.key
    return (host, account) == state.key[:2] and operation in (None, state.key[2])
