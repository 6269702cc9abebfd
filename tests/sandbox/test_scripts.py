"""Scripts of faults, planted orders, and faults of queries, cancels and modifications."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from resilience.sandbox import Sandbox
from resilience.sandbox.exchange.faults import FaultError
from tests.sandbox.raw_frames import GIVE_UP_SOON, wait_until

Send = Callable[..., requests.Response]
TRADE, MIX = "/api/v2/spot/trade", "/api/v2/mix/order"
PLACE, INFO = f"{TRADE}/place-order", f"{TRADE}/orderInfo"
MARKET = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50", "clientOid": "a"}
LIMIT = {**MARKET, "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}
AT = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"}
MIX_LIMIT = {**AT, **LIMIT, "marginMode": "crossed", "marginCoin": "USDT"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange with a short window."""
    with Sandbox(window=2.0) as running:
        yield running


def executions(exchange: Sandbox) -> dict[str, int]:
    """Return how often each client id was accepted."""
    return {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}


def test_a_script_is_played_attempt_by_attempt(exchange: Sandbox, send: Send) -> None:
    """A script's faults come in order; an empty entry and later attempts have no fault, whatever the rates are."""
    exchange.set_faults(rates={"refuse_503": 1})
    exchange.script("a", ["code_400", "accept_500", ""])
    statuses = [send(exchange, "POST", PLACE, MARKET).status_code for _ in range(4)]
    assert statuses == [400, 500, 200, 200]
    assert executions(exchange) == {"a": 3}
    assert send(exchange, "POST", PLACE, {**MARKET, "clientOid": "b"}).status_code == 503


def test_a_reset_plays_scripts_from_the_start(exchange: Sandbox, send: Send) -> None:
    """Attempts are counted from 1 again, so the first fault comes again."""
    exchange.script("a", ["code_400"])
    seen = []
    for _ in range(2):
        seen += [send(exchange, "POST", PLACE, MARKET).status_code for _ in range(2)]
        exchange.reset()
    assert seen == [400, 200, 400, 200]


def test_scripts_over_http(exchange: Sandbox, send: Send) -> None:
    """Another process can set scripts too; the rates stay unless they are passed."""
    exchange.set_faults(rates={"lag": 0.5})
    change = {"scripts": {"a": ["code_400", ""]}}
    answer = requests.post(exchange.rest + "/sandbox/faults", json=change, timeout=60)
    assert answer.json() == {"seed": 0, "rates": {"lag": 0.5}}
    assert [send(exchange, "POST", PLACE, MARKET).status_code for _ in range(2)] == [400, 200]


@pytest.mark.parametrize(
    "script",
    ["lose", ["loose"], ["lose:1"], ["lag:x"], ["lag:-1"], ["query_500"], 7],
)
def test_bad_scripts_are_refused(exchange: Sandbox, script: Any) -> None:
    """An unknown fault, an invalid amount, or a string instead of a list is an error."""
    with pytest.raises(FaultError):
        exchange.script("a", script)
    answer = requests.post(exchange.rest + "/sandbox/faults", json={"scripts": {"a": script}}, timeout=60)
    assert answer.status_code == 400


def test_a_lag_of_its_own_length(exchange: Sandbox, send: Send) -> None:
    """`lag:30` hides an order for 30 s of the exchange's clock, far beyond L."""
    exchange.script("a", ["lag:30"])
    with pytest.raises(requests.ConnectionError):
        send(exchange, "POST", PLACE, MARKET)
    exchange.clock_offset = 29.0
    assert send(exchange, "GET", INFO, {"clientOid": "a"}, ahead=29.0).json()["data"] == []
    exchange.clock_offset = 31.0
    assert len(send(exchange, "GET", INFO, {"clientOid": "a"}, ahead=31.0).json()["data"]) == 1


@pytest.mark.parametrize(("fault", "times"), [("accept_late:0.1", 1), ("accept_late:1.5", 0)])
def test_a_late_delivery_at_its_own_time(exchange: Sandbox, send: Send, fault: str, times: int) -> None:
    """A late delivery is accepted within the window and refused after it, when the timestamp has expired."""
    exchange.script("a", [fault])
    with pytest.raises(requests.ReadTimeout):
        send(exchange, "POST", PLACE, MARKET, timeout=GIVE_UP_SOON)
    wait_until(lambda: exchange.requests)
    exchange.settle()
    assert executions(exchange) == ({"a": 1} if times else {})


def test_a_reset_forgets_what_is_under_way(exchange: Sandbox, send: Send) -> None:
    """A delayed order from before a reset is not accepted after it."""
    exchange.script("a", ["accept_late"])
    with pytest.raises(requests.ReadTimeout):
        send(exchange, "POST", PLACE, MARKET, timeout=GIVE_UP_SOON)
    wait_until(lambda: exchange.requests)
    exchange.reset()
    exchange.settle()
    assert executions(exchange) == {}


def test_an_answer_that_breaks_off(exchange: Sandbox, send: Send) -> None:
    """`cut`: the order is executed, the answer is cut in the middle by a reset."""
    exchange.script("a", ["cut"])
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        send(exchange, "POST", PLACE, MARKET)
    assert executions(exchange) == {"a": 1}


@pytest.mark.parametrize(("path", "more"), [(INFO, {}), (f"{MIX}/detail", AT)])
def test_faults_of_queries(exchange: Sandbox, send: Send, path: str, more: dict[str, str]) -> None:
    """A query is dropped or answered 500, by rate or by script; the next one is answered."""
    exchange.script("query:a", ["query_drop", "query_500"])
    with pytest.raises(requests.ConnectionError):
        send(exchange, "GET", path, {**more, "clientOid": "a"})
    assert send(exchange, "GET", path, {**more, "clientOid": "a"}).status_code == 500
    assert send(exchange, "GET", path, {**more, "clientOid": "a"}).json()["code"] in ("00000", "40109")
    exchange.set_faults(rates={"query_500": 1})
    assert send(exchange, "GET", path, {**more, "clientOid": "b"}).status_code == 500


def test_a_query_that_is_behind(send: Send) -> None:
    """`query_stale` shows the state of L ago: a young order is missing, a cancelled one is still live."""
    with Sandbox(window=30) as exchange:
        exchange.set_faults(rates={"query_stale": 1})
        send(exchange, "POST", PLACE, LIMIT)
        assert send(exchange, "GET", INFO, {"clientOid": "a"}).json()["data"] == []
        exchange.clock_offset = 10.0
        send(exchange, "POST", f"{TRADE}/cancel-order", {"symbol": "BTCUSDT", "clientOid": "a"}, ahead=10.0)
        assert send(exchange, "GET", INFO, {"clientOid": "a"}, ahead=10.0).json()["data"][0]["status"] == "live"
        exchange.set_faults(rates={})
        assert send(exchange, "GET", INFO, {"clientOid": "a"}, ahead=10.0).json()["data"][0]["status"] == "cancelled"


@pytest.mark.parametrize(
    ("fault", "status"), [("lose", "live"), ("accept_late:0.3", "cancelled"), ("accept_drop", "cancelled")]
)
def test_cancels_meet_faults(exchange: Sandbox, send: Send, fault: str, status: str) -> None:
    """A cancel is lost, delivered late, or executed with its answer dropped."""
    send(exchange, "POST", PLACE, LIMIT)
    exchange.script("cancel:a", [fault])
    with pytest.raises((requests.ReadTimeout, requests.ConnectionError)):
        send(exchange, "POST", f"{TRADE}/cancel-order", {"symbol": "BTCUSDT", "clientOid": "a"}, timeout=GIVE_UP_SOON)
    wait_until(lambda: exchange.requests == 2)
    exchange.settle()
    assert send(exchange, "GET", INFO, {"clientOid": "a"}).json()["data"][0]["status"] == status


@pytest.mark.parametrize(("fault", "found"), [("lose", []), ("accept_late:0.3", ["49000"])])
def test_changes_meet_faults(exchange: Sandbox, send: Send, fault: str, found: list[str]) -> None:
    """The fault of a modification is drawn by its new client id; it is lost or delivered late."""
    send(exchange, "POST", f"{MIX}/place-order", {**MIX_LIMIT, "price": "50000"})
    exchange.script("b", [fault])
    change = {**AT, "clientOid": "a", "newClientOid": "b", "newPrice": "49000"}
    with pytest.raises(requests.ReadTimeout):
        send(exchange, "POST", f"{MIX}/modify-order", change, timeout=GIVE_UP_SOON)
    wait_until(lambda: exchange.requests == 2)
    exchange.settle()
    answer = send(exchange, "GET", f"{MIX}/detail", {**AT, "clientOid": "b"}).json()
    assert ([answer["data"]["price"]] if answer["data"] else []) == found


def test_somebody_elses_orders(exchange: Sandbox, send: Send) -> None:
    """A planted order is found under its id with the fields that were passed; the ledger does not count it."""
    number = exchange.plant("a", side="sell", size="7", cTime="1000")
    found = send(exchange, "GET", INFO, {"clientOid": "a"}).json()["data"]
    assert [(o["orderId"], o["side"], o["size"], o["status"], o["cTime"]) for o in found] == [
        (number, "sell", "7", "filled", "1000")
    ]
    exchange.plant("a", "mix", status="pending", age=60)
    assert send(exchange, "GET", f"{MIX}/detail", {**AT, "clientOid": "a"}).json()["data"]["state"] == "live"
    exchange.plant("a", "plain")
    plain = requests.get(exchange.rest + "/plain/orders", params={"key": "a"}, timeout=60).json()["orders"]
    assert [row["status"] for row in plain] == ["filled"]
    assert executions(exchange) == {}
    assert send(exchange, "POST", f"{MIX}/place-order", MIX_LIMIT).json()["code"] == "40786"
    assert send(exchange, "POST", PLACE, MARKET).json()["code"] == "00000"
    assert executions(exchange) == {"a": 1}
    with pytest.raises(ValueError, match="pending, filled or cancelled"):
        exchange.plant("b", status="resting")


def test_status(exchange: Sandbox, send: Send) -> None:
    """The status has seed, window, rates and the requests since the last reset; controls do not count."""
    exchange.set_faults(seed=5, rates={"lag": 0.5})
    send(exchange, "GET", INFO, {"clientOid": "a"})
    seen = [requests.get(exchange.rest + "/sandbox/status", timeout=60).json() for _ in range(2)]
    assert seen == [{"requests": 1, "seed": 5, "window": exchange.window, "rates": {"lag": 0.5}}] * 2
    exchange.reset()
    assert requests.get(exchange.rest + "/sandbox/status", timeout=60).json()["requests"] == 0
