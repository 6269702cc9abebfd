"""The sandbox's REST API: its checks, its ledger, its faults, its controls and its command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from resilience import Policies
from resilience.sandbox import Sandbox
from resilience.sandbox.exchange.faults import (
    NAMED_RATES,
    QUERY_FAULTS,
    WRITE_FAULTS,
    FaultError,
    draw_fault,
    parse_rates,
    seeded_fraction,
)
from tests.sandbox.raw_frames import GIVE_UP_SOON, wait_until

Send = Callable[..., requests.Response]
PLACE, INFO = "/api/v2/spot/trade/place-order", "/api/v2/spot/trade/orderInfo"
MARKET = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
LIMIT = {**MARKET, "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange with a short window."""
    with Sandbox(window=2.0) as running:
        yield running


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ACCESS-KEY": ""}, "40006"),
        ({"ACCESS-PASSPHRASE": ""}, "40011"),
        ({"ACCESS-KEY": "other"}, "40037"),
        ({"ACCESS-TIMESTAMP": "soon"}, "40005"),
        ({"ahead": -60.0}, "40008"),
        ({"ahead": 60.0}, "40008"),
        ({"ACCESS-SIGN": "x"}, "40009"),
        ({"ACCESS-PASSPHRASE": "wrong"}, "40012"),
        ({"paptrading": "1"}, "40099"),
    ],
)
def test_what_is_checked(exchange: Sandbox, change: dict[str, Any], code: str, send: Send) -> None:
    """Each wrong header gets the code that the real exchange gives, as HTTP 400."""
    answer = send(exchange, "POST", PLACE, MARKET, **change)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert exchange.ledger() == {"orders": []}


def test_an_expired_stamp_keeps_the_scripted_fault(exchange: Sandbox, send: Send) -> None:
    """A scripted fault is for an attempt that gets as far as the order, not for one whose stamp has expired."""
    exchange.script("late", ["code_400"])
    order = {**MARKET, "clientOid": "late"}
    codes = [send(exchange, "POST", PLACE, order, ahead=ahead).json()["code"] for ahead in (-60.0, 0.0, 0.0)]
    assert codes[0] == "40008"
    assert codes[1] != "40008"
    assert codes[1:] != ["00000", "00000"]
    assert [row["executions"] for row in exchange.ledger()["orders"]] == [1]


@pytest.mark.parametrize(("option", "code"), [("can_trade", "40014"), ("demo", "40099"), ("unified", "40085")])
def test_kinds_of_keys(option: str, code: str, send: Send) -> None:
    """Permission, demo mode and account mode are checked too."""
    options: dict[str, Any] = {option: option != "can_trade"}
    with Sandbox(**options) as exchange:
        assert send(exchange, "POST", PLACE, MARKET).json()["code"] == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"symbol": None}, "400172"),
        ({"symbol": "XXXUSDT"}, "40034"),
        ({"side": "hold"}, "40017"),
        ({"size": "many"}, "40017"),
        ({"size": "0.5"}, "45110"),
        ({"size": "99999999999"}, "43012"),
        ({"clientOid": "x" * 51}, "40304"),
        ({"requestTime": "1000", "receiveWindow": "5000"}, "40078"),
        ({"requestTime": "1000", "receiveWindow": "60000"}, "40079"),
    ],
)
def test_orders_that_are_refused(exchange: Sandbox, change: dict[str, Any], code: str, send: Send) -> None:
    """An order that is incomplete, wrong, too small, too expensive or too late is not executed."""
    params = {key: value for key, value in {**MARKET, **change}.items() if value is not None}
    assert send(exchange, "POST", PLACE, params).json()["code"] == code
    assert exchange.ledger() == {"orders": []}


def test_a_client_id_is_taken_only_while_its_order_is_pending(exchange: Sandbox, send: Send) -> None:
    """A resting order reserves its client id; a market order fills at once, so sent again it buys twice."""
    assert send(exchange, "POST", PLACE, {**LIMIT, "clientOid": "a"}).json()["code"] == "00000"
    assert send(exchange, "POST", PLACE, {**LIMIT, "clientOid": "a"}).json()["code"] == "43118"
    for _ in range(2):
        assert send(exchange, "POST", PLACE, {**MARKET, "clientOid": "b"}).json()["code"] == "00000"
    rows = {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}
    assert rows == {"a": 1, "b": 2}


def test_queries(exchange: Sandbox, send: Send) -> None:
    """A query returns an empty list for an unknown order and a list of one for a known order."""
    assert send(exchange, "GET", INFO, {"clientOid": "a"}).json()["data"] == []
    send(exchange, "POST", PLACE, {**MARKET, "clientOid": "a"})
    found = send(exchange, "GET", INFO, {"clientOid": "a"}).json()["data"]
    assert [(order["clientOid"], order["status"]) for order in found] == [("a", "filled")]


def test_rate_limits(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten orders per second are allowed."""
    with Sandbox(seed=1) as exchange:
        moment = exchange.now()
        monkeypatch.setattr(type(exchange.clock), "now", lambda _clock: moment)
        codes = [send(exchange, "POST", PLACE, MARKET).json()["code"] for _ in range(25)]
        assert codes == ["00000"] * 10 + ["429"] * 15


@pytest.mark.parametrize(
    ("fault", "executions", "seen"),
    [
        ("accept_drop", 1, None),
        ("lag", 1, None),
        ("accept_500", 1, (500, None)),
        ("accept_40725", 1, (400, "40725")),
        ("refuse_40725", 0, (400, "40725")),
        ("refuse_429", 0, (429, "429")),
        ("refuse_503", 0, (503, None)),
        ("http200_code", 0, (200, "43012")),
        ("code_400", 0, (400, "43012")),
        ("html_502", 1, (502, None)),
        ("empty_body", 1, (200, None)),
        ("numeric_code", 0, (400, 40015)),
        ("truncated_json", 1, (200, None)),
        ("slow_trickle", 1, (200, "00000")),
        ("code_30032", 0, (400, "30032")),
        ("code_45001", 1, (400, "45001")),
    ],
)
def test_what_a_fault_does(exchange: Sandbox, fault: str, executions: int, seen: Any, send: Send) -> None:
    """Each fault has its answer and its number of executions in the ledger."""
    exchange.set_faults(rates={fault: 1})
    try:
        answer = send(exchange, "POST", PLACE, {**MARKET, "clientOid": "a"})
        code = answer.json().get("code") if answer.text.endswith("}") else None
        assert (answer.status_code, code) == seen
    except requests.ConnectionError:
        assert seen is None
    assert sum(row["executions"] for row in exchange.ledger()["orders"]) == executions


@pytest.mark.parametrize(("fault", "executions"), [("lose", 0), ("accept_late:0.3", 1), ("accept_hang", 1)])
def test_faults_that_hang(exchange: Sandbox, fault: str, executions: int, send: Send) -> None:
    """Nothing is answered until the client gives up; a late order is executed all the same."""
    exchange.script("a", [fault])
    body = {**MARKET, "clientOid": "a"}
    with pytest.raises(requests.ReadTimeout):
        send(exchange, "POST", PLACE, body, timeout=GIVE_UP_SOON)
    wait_until(lambda: exchange.requests)
    exchange.settle()
    assert sum(row["executions"] for row in exchange.ledger()["orders"]) == executions


@given(st.integers(0, 10**6), st.text(max_size=12), st.integers(1, 9), st.sampled_from(sorted(NAMED_RATES)))
def test_faults_depend_on_nothing_but_their_seed(seed: int, client_id: str, attempt: int, mix: str) -> None:
    """The same seed, client id and attempt always draw the same fault, and every draw is a fault with a rate."""
    first = draw_fault(seed, WRITE_FAULTS, client_id, attempt, NAMED_RATES[mix])
    assert first == draw_fault(seed, WRITE_FAULTS, client_id, attempt, NAMED_RATES[mix])
    assert first is None or NAMED_RATES[mix][first] > 0
    assert 0 <= seeded_fraction(seed, client_id) < 1


def test_rates_are_met() -> None:
    """Over many draws the frequency of each fault is its rate."""
    drawn = [draw_fault(1, WRITE_FAULTS, f"o{n}", 1, NAMED_RATES["ordinary"]) for n in range(20_000)]
    for name, rate in NAMED_RATES["ordinary"].items():
        if name not in QUERY_FAULTS:
            assert abs(drawn.count(name) / len(drawn) - rate) < 0.01


def test_bad_faults_are_refused(exchange: Sandbox) -> None:
    """The error for an unknown name or an invalid rate says what is allowed; nothing changes."""
    for wrong in ("stormy", {"loose": 0.1}, {"lose": 2}, {"lose": True}, {"lose": 0.6, "lag": 0.6}):
        with pytest.raises(FaultError):
            parse_rates(wrong)  # type: ignore[arg-type]
    answer = requests.post(exchange.rest + "/sandbox/faults", json={"rates": {"loose": 0.1}}, timeout=60)
    assert answer.status_code == 400
    assert "available: lose" in answer.json()["error"]
    assert exchange.rates == {}


def test_controls_over_http(exchange: Sandbox, send: Send) -> None:
    """Ledger, faults and reset can be used over HTTP."""
    answer = requests.post(exchange.rest + "/sandbox/faults", json={"seed": 3, "rates": {"lag": 0.5}}, timeout=60)
    assert answer.json() == {"seed": 3, "rates": {"lag": 0.5}}
    requests.post(exchange.rest + "/sandbox/faults", json={"rates": {}}, timeout=60)
    send(exchange, "POST", PLACE, {**MARKET, "clientOid": "a"})
    rows = requests.get(exchange.rest + "/sandbox/ledger", timeout=60).json()["orders"]
    assert [sorted(row) for row in rows] == [["clientOid", "executions", "open", "orderId", "price", "symbol"]]
    requests.post(exchange.rest + "/sandbox/reset", timeout=60)
    assert exchange.ledger() == {"orders": []}


def test_its_policy_matches_its_window(exchange: Sandbox) -> None:
    """The sandbox's policy file loads without a warning and has the sandbox's window."""
    rules = Policies.load(exchange.policy).policy("bitget").reconcile
    assert rules is not None
    assert rules.window == exchange.window


def test_the_command(tmp_path: Any) -> None:
    """The first line of output is JSON with the address and the keys; after SIGTERM the exit code is 0."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--json", "--window", "1s", "--seed", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        access = json.loads(running.stdout.readline())
        answer = requests.get(access["rest"] + "/api/v2/public/time", timeout=60).json()
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    assert set(access) == {"rest", "ws", "key", "secret", "passphrase", "policy", "venue", "urls"}
    assert answer["code"] == "00000"


def test_the_command_in_hedge_mode(send: Send) -> None:
    """`--hedge` puts the futures account into hedge mode, so an order without a side to open is refused."""
    command = [sys.executable, "-m", "resilience", "sandbox", "--json", "--hedge"]
    order = {**MARKET, "productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT", "size": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        access = SimpleNamespace(**json.loads(running.stdout.readline()))
        assert send(access, "POST", "/api/v2/mix/order/place-order", order).json()["code"] == "40774"
        running.terminate()


@pytest.mark.parametrize("value", [None, 7, True, [], ["a"], {}, {"a": 1}, "\ud800"])
@pytest.mark.parametrize(
    "path", ["spot/trade/place-order", "spot/trade/cancel-replace-order", "mix/order/modify-order"]
)
def test_odd_values_are_answered(exchange: Sandbox, send: Send, path: str, value: Any) -> None:
    """Whatever a body contains, the exchange answers with a code."""
    names = ("symbol", "productType", "clientOid", "newClientOid", "newSize", "size", "price", "side", "orderType")
    assert send(exchange, "POST", f"/api/v2/{path}", dict.fromkeys(names, value)).json()["code"] != "00000"


@pytest.mark.parametrize("words", [["--window", "x"], ["--port", "99999"], ["--faults", "stormy"], ["--what"]])
def test_wrong_use(words: list[str]) -> None:
    """A wrong option prints one line and exits with 2."""
    command = [sys.executable, "-m", "resilience", "sandbox", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
