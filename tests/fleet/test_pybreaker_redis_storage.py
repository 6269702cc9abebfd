"""Tests of breakers that share pybreaker's `CircuitRedisStorage` with other programs, on a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pybreaker
import pytest

from resilience import CircuitOpenError, Policies
from tests.fleet.waiting import wait_for

redis = pytest.importorskip("redis")

POLICIES = {"policies": {"p": {"breaker": {"consecutive": 2, "open_for": "60s", "open_max": "60s"}, "retry": None}}}


class EventLog:
    """A listener that a test can wait for."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, event: Any) -> None:
        with self._changed:
            self.names.append(event.name)
            self._changed.notify_all()

    def until(self, name: str) -> bool:
        """Wait until an event came."""
        with self._changed:
            return self._changed.wait_for(lambda: name in self.names, 60)


@pytest.fixture
def own_client(own_server: Any) -> Iterator[Any]:
    """Return a client of a server that the test may kill."""
    with redis.Redis(port=own_server.port, socket_timeout=5) as connected:
        yield connected


def new_policies(client: Any) -> tuple[Policies, EventLog]:
    """Return policies on the storage of a service, and a listener of their events."""
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client, namespace="service")
    policies = Policies.from_mapping(POLICIES, log=False, pybreaker_storage=storage)
    log = EventLog()
    policies.subscribe(log)
    assert policies.pipeline("p").call(len, "abc") == 3
    return policies, log


def down() -> None:
    """Fail as a service that is down does."""
    raise ConnectionRefusedError


def trip(policies: Policies) -> None:
    """Fail until the breaker opens."""
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            policies.pipeline("p").call(down)


def test_a_breaker_that_opens_opens_the_others(client: Any) -> None:
    """By those of this library, by a pybreaker, and by a program that starts later."""
    first, _ = new_policies(client)
    second, log = new_policies(client)
    trip(first)
    assert log.until("circuit_opened")
    with pytest.raises(CircuitOpenError):
        second.pipeline("p").call(len, "abc")
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client, namespace="service")
    with pytest.raises(pybreaker.CircuitBreakerError):
        pybreaker.CircuitBreaker(state_storage=storage).call(len, "abc")
    third = Policies.from_mapping(POLICIES, log=False, pybreaker_storage=storage)
    with pytest.raises(CircuitOpenError):
        third.pipeline("p").call(len, "abc")
    assert client.get("service:pybreaker:fail_counter") == b"0"


def test_what_a_pybreaker_opens_and_closes_is_obeyed(client: Any) -> None:
    """Within a beat of the thread that reads the storage."""
    policies, log = new_policies(client)
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client, namespace="service")
    breaker = pybreaker.CircuitBreaker(state_storage=storage)
    breaker.open()
    assert log.until("circuit_opened")
    with pytest.raises(CircuitOpenError):
        policies.pipeline("p").call(len, "abc")
    breaker.close()
    assert log.until("circuit_closed")
    assert policies.pipeline("p").call(len, "abc") == 3


@pytest.mark.slow
def test_a_server_that_dies_closes_no_breaker(own_server: Any, own_client: Any) -> None:
    """Its storage says "closed" then. Nothing else is lost, and no call waits."""
    policies, log = new_policies(own_client)
    trip(policies)
    assert log.until("circuit_opened")
    with pytest.raises(CircuitOpenError):
        policies.pipeline("p").call(len, "abc")
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, own_client, namespace="service")
    wait_for(lambda: storage.opened_at)
    own_server.terminate()
    assert storage.state == "closed"  # the wrong answer
    assert storage.opened_at is None
    with pytest.raises(CircuitOpenError):
        policies.pipeline("p").call(len, "abc")
    assert policies.breakers("p")[0].state == "open"


def test_a_date_is_read_as_utc(client: Any) -> None:
    """A program that starts when the open time is over makes a trial."""
    storage = pybreaker.CircuitRedisStorage(pybreaker.STATE_CLOSED, client, namespace="service")
    storage.opened_at = datetime(2020, 1, 1, tzinfo=UTC)
    storage.state = pybreaker.STATE_OPEN
    policies = Policies.from_mapping(POLICIES, log=False, pybreaker_storage=storage)
    assert policies.pipeline("p").call(len, "abc") == 3
    assert policies.breakers("p")[0].state == "closed"
