"""Rate limits as APIs tell them, heard through every client on real sockets; and Bitget's, kept against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import AdmissionRejectedError, Policies, QuotaExceededError, wrap
from resilience.bitget import BitgetClient
from resilience.integrations._order_lanes import lane_by_parameters, lane_of
from resilience.sandbox import Sandbox
from resilience.testing import FakeClock
from tests.conftest import ScriptedApi
from tests.integrations.http_clients import Ask, Got, HttpClient, every_client, policies
from tests.integrations.server import Server, answer

QUOTA: Any = [{"rate": "100/s", "burst": 100, "key": "host"}]


@every_client
@pytest.mark.parametrize(
    "headers",
    [
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "9"},
        {"RateLimit": '"default";r=0;t=9'},
        {"RateLimit_Remaining": "0", "RateLimit_Reset": "1700000009"},
    ],
)
def test_nothing_left_until_a_reset(client: HttpClient, headers: dict[str, str]) -> None:
    """A good answer that says so: the next request waits for the reset."""
    clock = FakeClock()
    with Server(answer(**headers), answer(body="next")) as server:
        got = client.run(policies(clock, quota=QUOTA), server.url, Ask(), Ask())
    assert got == [Got(200, "fine"), Got(200, "next")]
    assert clock.sleeps == [9.0]


@every_client
def test_hostile_headers_change_nothing(client: HttpClient) -> None:
    """Nonsense in every header that is read: answers come back as they are, and nothing waits."""
    clock = FakeClock()
    bad = {"RateLimit": ";;r=;t=-1", "X_RateLimit_Remaining": "NaN", "X_RateLimit_Reset": "9" * 400}
    with Server(answer(**bad, x_mbx_used_remain_limit="1e999", RateLimit_Policy="=" * 3000)) as server:
        assert client.run(policies(clock, quota=QUOTA), server.url, Ask(), Ask()) == [Got(200, "fine")] * 2
    assert clock.sleeps == []


@every_client
def test_a_hold_off_is_for_the_host(client: HttpClient) -> None:
    """429 for a write with a Retry-After that does not fit: reads of the host are refused until then, and say when."""
    clock = FakeClock()
    with Server(answer(429, Retry_After="120")) as server:
        got, refused = client.run(policies(clock, quota=QUOTA), server.url, Ask("POST", body=b"{}"), Ask())
    assert got == Got(429, "fine")
    assert isinstance(refused, QuotaExceededError)
    assert isinstance(refused, client.error)
    assert refused.retry_after == 120.0
    assert len(server.requests) == 1


# --- Bitget ------------------------------------------------------------------------------------------


def test_bitgets_limits_are_kept() -> None:
    """Fourteen balances at once: the exchange, which allows ten a second, refuses none of them."""
    with Sandbox(window=30) as exchange:
        made = Policies.load(exchange.policy)
        failed: list[Any] = []
        made.subscribe(lambda event: failed.append(event) if event.name == "attempt_failed" else None)
        client = wrap(_client(exchange.rest), "bitget", policies=made)
        for _ in range(14):
            assert client.mix_balance(productType="USDT-FUTURES") is not None
        assert exchange.requests == 14
    assert failed == []


def test_named_and_generic_calls_share_a_window() -> None:
    """One endpoint is one window, however it is called; policies that extend `bitget` share it too."""
    made = Policies.from_mapping({"policies": {"mine": {"extends": "bitget"}}})
    spans = [
        made.pipeline(policy)._shared.limits.quotas(made.policy(policy), info, {})
        for policy, name in (
            ("bitget", "spot_place_order"),
            ("mine", "spot_place_order"),
            ("mine", "post /api/v2/spot/trade/place-order"),
        )
        if (info := _client("http://127.0.0.1:1").resilience_operation_info(name, None)) is not None
    ]
    first = [one.entries[0] for one in spans if one is not None]
    assert len(first) == 3
    assert first[0] is first[1] is first[2]
    assert all(one.entries[-1].key == "127.0.0.1:1" for one in spans if one is not None)


@pytest.fixture
def calm(api: ScriptedApi) -> ScriptedApi:
    """A server that takes every order."""
    for path in ("place-order", "cancel-order"):
        api.on(f"/api/v2/mix/order/{path}", {"code": "00000", "data": {"orderId": "1", "clientOid": "c"}})
    return api


def test_entries_are_turned_away_and_cancels_are_not(calm: ScriptedApi) -> None:
    """The slots for entries are taken: a cancel, and an order that only reduces, still go."""
    admission = {"max_concurrent": 2, "lanes": {"cancel": {"reserve": 1, "priority": 1}}}
    rules = {"p": {"extends": "bitget", "admission": admission}}
    made = Policies.from_mapping({"policies": rules}, clock=FakeClock())
    client = wrap(_client(calm.rest), "p", policies=made)
    admits = made._shared.limits.admission(made.policy("p"))
    assert admits is not None
    assert admits.try_enter("") is not None
    order = {"symbol": "BTCUSDT", "size": "1", "clientOid": "c"}
    with pytest.raises(AdmissionRejectedError):
        client.mix_place_order(**order)
    assert client.mix_cancel_order(symbol="BTCUSDT", orderId="1")["orderId"] == "1"
    assert client.mix_place_order(**order, reduceOnly="YES")["orderId"] == "1"
    assert client.post("/api/v2/mix/order/place-order", {**order, "reduceOnly": "YES"})["code"] == "00000"
    assert len(calm.seen) == 3


@pytest.mark.parametrize(
    ("operation", "lane"),
    [
        ("spot_cancel_order", "cancel"),
        ("cancel_all_orders", "cancel"),
        ("post /api/v2/mix/order/cancel-order", "cancel"),
        ("post /api/v3/trade/countdown-cancel-all", "cancel"),
        ("post /api/v2/spot/trade/cancel-replace-order", lane_by_parameters),
        ("create_order", lane_by_parameters),
        ("post /api/v2/mix/order/place-order", lane_by_parameters),
        ("withdraw", None),
    ],
)
def test_lanes_by_name(operation: str, lane: Any) -> None:
    """Cancels are urgent; an order is where its parameters say that it only reduces."""
    assert lane_of(operation) is lane or lane_of(operation) == lane


@pytest.mark.parametrize(
    ("args", "kwargs", "lane"),
    [
        ((), {"reduceOnly": "YES"}, "cancel"),
        ((), {"reduceOnly": "NO"}, None),
        (("BTC/USDT", "market", "sell", 1, None, {"reduceOnly": True}), {}, "cancel"),
        ((), {"params": {"reduceOnly": True}}, "cancel"),
        ((), {"reduceOnly": object(), "params": 7}, None),
    ],
)
def test_orders_that_only_reduce(args: Any, kwargs: Any, lane: str | None) -> None:
    """In keywords, in `params`, or in a mapping among the arguments."""
    assert lane_by_parameters(args, kwargs) == lane


def _client(url: str) -> BitgetClient:
    return BitgetClient("sandbox-key", "sandbox-secret-0123456789", "sandbox-pass", base_url=url)
