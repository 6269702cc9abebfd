"""Tests of who has the writes in doubt that are in an outbox of several processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from resilience import failure_of
from resilience._core.call.unsettled_writes import UnsettledWrites, WriteOwner


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
