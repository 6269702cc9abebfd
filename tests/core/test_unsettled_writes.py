"""Tests of writes in doubt: who has those in an outbox of several processes, and which of them have one key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from resilience import failure_of
from resilience._core.call.open_writes import OPEN_WRITES
from resilience._core.call.unsettled_writes import UnsettledWrites, WriteOwner
from resilience._core.classify.failure import Failure
from resilience._core.policy.codes import Category


def shown(writes: UnsettledWrites) -> list[tuple[Any, Any]]:
    """Return the key and the owner of each write in doubt."""
    return [(write["key"], write["owner"]) for write in writes.describe()]


def test_the_owner_is_shown_until_it_has_settled_the_write() -> None:
    """It may be noted before the write is added; a write without a key, or in a file, has none."""
    writes, owner = UnsettledWrites(), WriteOwner("here")
    writes.set_owner("a", owner)
    assert shown(writes) == []
    failure = failure_of(ConnectionResetError())
    for key in ("a", "b", None):
        writes.add("trade", "place", replace(failure, key=key), 1.0)
    assert shown(writes) == [("a", "here"), ("b", None), (None, None)]
    owner.name = "there"
    assert shown(writes)[0] == ("a", "there")
    owner.is_settled = True
    assert shown(writes) == [("b", None), (None, None)]
    writes.settle(None)
    writes.settle("b")
    assert shown(writes) == [(None, None)]


UNKNOWN = Failure(Category.RETRYABLE, executed="maybe", key="k")


def test_one_key_for_two_accounts() -> None:
    """A stream reports the orders of its account alone."""
    writes = UnsettledWrites()
    OPEN_WRITES.settle_in(writes)
    for account in ("one", "two"):
        writes.add("p", "place", UNKNOWN, 0.0, host="a.example", account=account)
    OPEN_WRITES.report("k", {}, "two")
    assert [write.account for write in writes.with_key("k")] == ["one"]
    OPEN_WRITES.report("k", {})
    assert writes.with_key("k") == []


def test_a_function_around_the_call() -> None:
    """What does not know its host is the call inside it, in either order; the entry says where it was sent."""
    writes = UnsettledWrites()
    writes.add("p", "place", UNKNOWN, 0.0)
    writes.add("p", "post", UNKNOWN, 0.0, host="a.example", account="one")
    writes.add("p", "place", UNKNOWN, 0.0)
    (write,) = writes.with_key("k")
    assert (write.operation, write.host, write.account) == ("place", "a.example", "one")
    writes.settle("k")
    assert writes.describe() == []
