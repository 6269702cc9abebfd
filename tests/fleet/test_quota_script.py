"""Tests of what the store answers on bookings: how many permits, from when, and whether it still knows of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from resilience.fleet.quota_script import BOOK, KNOWN
from resilience.fleet.store import Store
from tests.fleet.fleets import age

KEYS = ["rs1:{test}:sends", "rs1:{test}:epoch"]
MINUTE = 60_000_000


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Return a connection to the empty server."""
    connected = Store(url, 2.0)
    connected.connect()
    yield connected
    connected.close()


def book(store: Store, wanted: int, least: int = 1, ahead: int = 0) -> tuple[int, int, int]:
    """Book permits of 10 per minute for 100 ms; return how many, from when (microseconds), and the epoch."""
    answer = store.run(BOOK, KEYS, [10, MINUTE, 100_000, wanted, 20_000, 1, 0, least, ahead])
    return answer[0], int(answer[1]), int(answer[2])


def test_a_booking_is_never_smaller_than_the_heaviest_attempt(store: Store, client: object) -> None:
    """What is left of the window would be of no use to it: it would ask again and again until the window is over."""
    book(store, 1)
    age(client)
    client.delete(KEYS[0])  # type: ignore[attr-defined]
    assert book(store, 7)[:2] == (7, 0)
    granted, delay, _ = book(store, 5, least=5)
    assert granted == 5
    assert delay > MINUTE * 0.9
    assert book(store, 5, least=1)[0] == 5


def test_what_is_left_of_a_window_is_granted_at_once(store: Store, client: object) -> None:
    """If one permit is of use, the rest of the window is not left unused."""
    book(store, 1)
    age(client)
    client.delete(KEYS[0])  # type: ignore[attr-defined]
    assert book(store, 7)[:2] == (7, 0)
    assert book(store, 5)[:2] == (3, 0)


def test_a_store_without_memory_waits_for_leases_that_were_sure(store: Store, client: object) -> None:
    """Those that begin within `ahead` are spent without a further question. A flushed store knows no epoch."""
    _, delay, epoch = book(store, 1, ahead=1_000_000)
    assert delay == MINUTE + 100_000 + 1_000_000
    assert int(store.run(KNOWN, KEYS[1:], [])) == epoch
    client.flushall()  # type: ignore[attr-defined]
    assert store.run(KNOWN, KEYS[1:], []) == b""
