"""The sandbox's plain HTTP API: it has no timestamps, and its idempotency key does not prevent duplicates."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from resilience.sandbox import Sandbox
from resilience.sandbox.rest import dispatch
from tests.sandbox.raw_frames import GIVE_UP_SOON, wait_until

ORDER = {"symbol": "BTCUSDT", "side": "buy", "size": "1"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox() as running:
        yield running


def post(exchange: Sandbox, key: str = "k", timeout: Any = 60, **change: Any) -> requests.Response:
    """Place an order under a key."""
    body = {name: value for name, value in {**ORDER, **change}.items() if value is not None}
    headers = {"Idempotency-Key": key} if key else {}
    return requests.post(exchange.rest + "/plain/orders", json=body, headers=headers, timeout=timeout)


def get(exchange: Sandbox, **params: str) -> requests.Response:
    """Query the orders of a key."""
    return requests.get(exchange.rest + "/plain/orders", params=params, timeout=60)


def executions(exchange: Sandbox) -> list[tuple[str, int]]:
    """Return how often each key was accepted."""
    return [(row["clientOid"], row["executions"]) for row in exchange.ledger()["orders"]]


def test_an_order_and_its_query(exchange: Sandbox) -> None:
    """An order is answered 201 with id, key, status and time; the query lists it with the server's time."""
    before = time.time()
    placed = post(exchange)
    assert placed.status_code == 201
    assert set(placed.json()) == {"id", "key", "status", "created_at"}
    assert before - 1 <= placed.json()["created_at"] <= time.time() + 1
    answer = get(exchange, key="k").json()
    assert [(row["id"], row["key"], row["symbol"]) for row in answer["orders"]] == [
        (placed.json()["id"], "k", "BTCUSDT")
    ]
    assert answer["time"] >= placed.json()["created_at"]
    assert get(exchange, key="other").json()["orders"] == []


def test_the_key_protects_nothing(exchange: Sandbox) -> None:
    """An order that is sent twice is executed twice; the ledger and the query show it."""
    assert [post(exchange).status_code for _ in range(2)] == [201, 201]
    assert executions(exchange) == [("k", 2)]
    assert len(get(exchange, key="k").json()["orders"]) == 2


@pytest.mark.parametrize("change", [{"symbol": None}, {"side": "up"}, {"size": "none"}, {"size": "99999999999"}])
def test_what_is_refused(exchange: Sandbox, change: dict[str, Any]) -> None:
    """A wrong order gets 400 and a message, as does a query without a key."""
    answer = post(exchange, **change)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert get(exchange).status_code == 400
    assert executions(exchange) == []


@pytest.mark.parametrize(
    ("fault", "status", "times"),
    [
        ("accept_drop", None, 1),
        ("accept_500", 500, 1),
        ("accept_40725", 500, 1),
        ("code_45001", 500, 1),
        ("html_502", 502, 1),
        ("empty_body", 200, 1),
        ("refuse_40725", 500, 0),
        ("refuse_429", 429, 0),
        ("refuse_503", 503, 0),
        ("http200_code", 200, 0),
        ("code_400", 400, 0),
        ("code_30032", 410, 0),
    ],
)
def test_faults(exchange: Sandbox, fault: str, status: int | None, times: int) -> None:
    """The faults are those of the exchange, sent with the statuses of an ordinary service."""
    exchange.set_faults(rates={fault: 1})
    try:
        assert post(exchange).status_code == status
    except requests.ConnectionError:
        assert status is None
    assert executions(exchange) == ([("k", 1)] if times else [])


class Machine:
    """A clock that sleeps advance, by `slowness` times their seconds."""

    def __init__(self, slowness: float) -> None:
        self.slowness = slowness
        self.now = 0.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Advance the time."""
        self.now += self.slowness * seconds


@pytest.mark.parametrize(("slowness", "times"), [(1.0, 1), (3.0, 0)])
def test_late_acceptance_is_bounded_without_a_stamp(
    exchange: Sandbox, monkeypatch: pytest.MonkeyPatch, slowness: float, times: int
) -> None:
    """An order that is delivered late is accepted at most W + P after it arrived, or not at all."""
    machine = Machine(slowness)
    monkeypatch.setattr(dispatch, "time", machine)
    exchange.set_faults(rates={"accept_late": 1})
    with pytest.raises(requests.ReadTimeout):
        post(exchange, timeout=GIVE_UP_SOON)
    wait_until(lambda: exchange.requests)
    exchange.settle()
    assert executions(exchange) == ([("k", 1)] if times else [])
    assert (exchange.window / 2 < machine.now <= exchange.window + exchange.processing) == bool(times)
