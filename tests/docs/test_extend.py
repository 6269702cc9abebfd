"""The examples of the page "Extend it" are installed as a package, and run against real libraries on loopback."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ccxt
import pytest
import requests
import urllib3

from resilience import (
    ApiError,
    CircuitOpenError,
    CodeRegistry,
    Found,
    Pipeline,
    Policies,
    Policy,
    PolicyError,
    RejectedError,
    failure_of,
    wrap,
)
from resilience.testing import FakeClock
from tests.integrations.http_clients import policies
from tests.integrations.server import Server, answer, drop_after

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "extend.md"
EXAMPLES = dict(
    re.findall(r"^```python\n# (shop_\w+)\.py\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
)
MAX_LINES = 40


class MyPool(urllib3.PoolManager):
    """A pool manager whose class no integration knows."""


@pytest.fixture
def shop(install: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that installs one example of the page under a name of an entry-point group."""

    def install_example(group: str, name: str, value: str) -> None:
        module = value.partition(":")[0]
        monkeypatch.delitem(sys.modules, module, raising=False)
        install(group, name, value, **{module: EXAMPLES[module]})

    return install_example


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_short(name: str) -> None:
    """About thirty lines of code each."""
    lines = [line for line in EXAMPLES[name].splitlines() if line.strip()]
    assert len(lines) <= MAX_LINES
    assert len(EXAMPLES) == 5


def test_the_stage(shop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy file names it, with the file that pauses."""
    shop("resilience.stages", "pause", "shop_stage:Pause")
    monkeypatch.chdir(tmp_path)
    stages = [{"pause": {"file": "stopped"}}]
    pipeline = Policies.from_mapping({"policies": {"p": {"stages": stages}}}).pipeline("p", operation="buy")
    assert pipeline.call(len, "abc") == 3
    Path("stopped").touch()
    with pytest.raises(RejectedError, match="paused by the file"):
        pipeline.call(len, "abc")


def test_the_http_client(shop: Any) -> None:
    """`wrap` finds it by the entry point; an uncertain write is looked up, and its key was on the wire."""
    shop("resilience.clients", f"{__name__.partition('.')[0]}.MyPool", "shop_client:PoolSupport")

    def look_up(call: Any) -> Any:
        return Found({"id": 9, "clientOrderId": call.key})

    with Server(answer(503), answer(200, {"price": 7}), drop_after, answer(307, "", Location="/other")) as server:
        pool = wrap(MyPool(), "p", policies=policies(FakeClock()), operations={"post /orders": {"reconcile": look_up}})
        assert isinstance(pool, MyPool)
        assert pool.request("GET", server.url).json() == {"price": 7}
        order = pool.request("POST", server.url + "/orders", body=b'{"side": "buy"}').json()
        assert order["clientOrderId"] == server.requests[2].headers["idempotency-key"]
        redirect = pool.request("POST", server.url + "/write")
    assert (redirect.status, failure_of(redirect).executed, len(server.requests)) == (307, "maybe", 4)


def _exchange(server: Server) -> Any:
    plain = ccxt.binance({"apiKey": "key", "secret": "secret"})
    plain.urls["api"] = {name: re.sub(r"https://[^/]+", server.url, url) for name, url in plain.urls["api"].items()}
    market = {"id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "type": "spot", "spot": True}
    market |= {"baseId": "BTC", "quoteId": "USDT", "precision": {"amount": 1e-6, "price": 0.01}}
    market["info"] = {"orderTypes": ["LIMIT"]}
    plain.set_markets([plain.safe_market_structure(market)])
    plain.session = requests.Session()
    plain.session.trust_env = False
    return plain


def test_the_exchange_of_ccxt(shop: Any) -> None:
    """The real class of ccxt: an order whose answer is lost is looked up by its client id, and not sent twice."""
    shop("resilience.venues", "binance", "shop_venue")
    asked: list[Mapping[str, str]] = []

    def found(connection: Any) -> None:
        request = connection.request()
        fields = dict(re.findall(r"(\w+)=([^&]*)", request.path))
        asked.append(fields)
        order = {"symbol": "BTCUSDT", "orderId": 7, "clientOrderId": fields["origClientOrderId"], "status": "FILLED"}
        order |= {"price": "5", "origQty": "1", "executedQty": "1", "side": "BUY", "type": "LIMIT", "time": 1}
        body = json.dumps(order).encode()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        connection.send(f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)

    with Server(drop_after, found) as server:
        exchange = wrap(_exchange(server), "ccxt", policies=Policies.builtin(clock=FakeClock()))
        order = exchange.create_order("BTC/USDT", "limit", "buy", 1, 5)
    assert (order["id"], order["status"], len(server.requests)) == ("7", "closed", 2)
    assert order["clientOrderId"] == asked[0]["origClientOrderId"]
    assert asked[0]["origClientOrderId"] in server.requests[0].body.decode()


def test_the_code_table(shop: Any) -> None:
    """A policy names it as it names a table that is shipped."""
    shop("resilience.registries", "shop", "shop_codes:table")
    pipeline = Policies.from_mapping({"policies": {"p": {"codes": ["shop", "http"]}}}).pipeline("p")
    with pytest.raises(ApiError) as caught:
        pipeline.call(lambda: {"status": "E17", "reason": "balance 0"})
    assert failure_of(caught.value).remedy == "Top up the account."


@pytest.mark.parametrize("table", ["1 / 0", "table = 7", "table = {'rules': 5}"])
def test_a_code_table_that_is_none(install: Any, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    """The mistake names the package and the entry point, when the table is needed."""
    monkeypatch.delitem(sys.modules, "shop_codes", raising=False)
    install("resilience.registries", f"shop{len(table)}", "shop_codes:table", shop_codes=table)
    assert Pipeline(Policy()).call(len, "abc") == 3
    with pytest.raises(PolicyError, match=r"'shop_codes:table' in resilience.registries of the package shop"):
        CodeRegistry.builtin(f"shop{len(table)}")


def test_the_breaker_store(shop: Any, tmp_path: Path) -> None:
    """Over a restart: what was open is open, until its time; a damaged file begins anew."""
    names: dict[str, Any] = {}
    exec(EXAMPLES["shop_store"], names)
    path, clock = tmp_path / "breakers.json", FakeClock()
    policy = Policy(name="p", breaker={"consecutive": 1, "open_for": 10.0}, retry=None)

    def saved(state: str) -> bool:
        return path.exists() and f'"state": "{state}"' in path.read_text("utf-8")

    def wait_until_saved(state: str) -> None:
        for _ in range(1000):
            if saved(state):
                return
            threading.Event().wait(0.02)
        pytest.fail(f"not saved: {state}")

    path.write_text("{damaged", encoding="utf-8")
    first = Pipeline(policy, clock=clock, breaker_store=names["JsonStore"](path))
    with pytest.raises(ConnectionRefusedError):
        first.call(_down)
    wait_until_saved("open")

    after = FakeClock(wall=clock.time() + 6)
    second = Pipeline(policy, clock=after, breaker_store=names["JsonStore"](path))
    with pytest.raises(CircuitOpenError):
        second.call(len, "abc")
    after.advance(4.1)
    for _ in range(5):
        assert second.call(len, "abc") == 3
    wait_until_saved("closed")


@pytest.mark.parametrize("wrong", [RejectedError, "pause", object()])
def test_what_is_no_stage_and_no_store(wrong: Any) -> None:
    """A `TypeError` when the pipeline is made, and not at a call."""
    with pytest.raises(TypeError, match=r"^stages takes objects derived from Stage, not (the class|a) "):
        Pipeline(Policy(), stages=[wrong])
    with pytest.raises(
        TypeError, match=r"^breaker_store takes an object derived from BreakerStore, not (the class|a) "
    ):
        Pipeline(Policy(), breaker_store=wrong)


def _down() -> None:
    raise ConnectionRefusedError
