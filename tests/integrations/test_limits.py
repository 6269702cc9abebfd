"""Rate limits in response headers, for every client on real sockets, and Bitget's limits, against the sandbox."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from resilience import AdmissionRejectedError, Policies, QuotaExceededError, wrap
from resilience.bitget import BitgetClient
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
    """A good response says so: the next request waits for the reset."""
    clock = FakeClock()
    with Server(answer(**headers), answer(body="next")) as server:
        got = client.run(policies(clock, quota=QUOTA), server.url, Ask(), Ask())
    assert got == [Got(200, "fine"), Got(200, "next")]
    assert clock.sleeps == [9.0]


@every_client
def test_hostile_headers_change_nothing(client: HttpClient) -> None:
    """Nonsense in every header that is read: responses are returned as they are, and nothing waits."""
    clock = FakeClock()
    bad = {"RateLimit": ";;r=;t=-1", "X_RateLimit_Remaining": "NaN", "X_RateLimit_Reset": "9" * 400}
    with Server(answer(**bad, x_mbx_used_remain_limit="1e999", RateLimit_Policy="=" * 3000)) as server:
        assert client.run(policies(clock, quota=QUOTA), server.url, Ask(), Ask()) == [Got(200, "fine")] * 2
    assert clock.sleeps == []


@every_client
def test_a_hold_is_per_host(client: HttpClient) -> None:
    """A write gets a 429 with a `Retry-After` beyond the deadline: until then reads of the host are rejected."""
    clock = FakeClock()
    with Server(answer(429, Retry_After="120")) as server:
        got, rejection = client.run(policies(clock, quota=QUOTA), server.url, Ask("POST", body=b"{}"), Ask())
    assert got == Got(429, "fine")
    assert isinstance(rejection, QuotaExceededError)
    assert isinstance(rejection, client.error)
    assert rejection.retry_after == 120.0
    assert len(server.requests) == 1


# --- Bitget ------------------------------------------------------------------------------------------


def test_bitgets_limits_are_kept() -> None:
    """Fourteen balances at once: the exchange allows ten per second and rejects none of them."""
    with Sandbox(window=30) as exchange:
        rules = Policies.load(exchange.policy)
        failed: list[Any] = []
        rules.subscribe(lambda event: failed.append(event) if event.name == "attempt_failed" else None)
        client = wrap(_client(exchange.rest), "bitget", policies=rules)
        for _ in range(14):
            assert client.mix_balance(productType="USDT-FUTURES") is not None
        assert exchange.requests == 14
    assert failed == []


def test_named_and_generic_calls_share_a_window() -> None:
    """One endpoint has one window, however it is called; policies that extend `bitget` share it too."""
    rules = Policies.from_mapping({"policies": {"mine": {"extends": "bitget"}}})
    spans = [
        rules.pipeline(policy).shared.limits.quotas(rules.policy(policy), info, {})
        for policy, name in (
            ("bitget", "spot_place_order"),
            ("mine", "spot_place_order"),
            ("mine", "post /api/v2/spot/trade/place-order"),
        )
        if (info := _client("http://127.0.0.1:1").resilience_operation_info(name, None)) is not None
    ]
    first = [quotas.entries[0] for quotas in spans if quotas is not None]
    assert len(first) == 3
    assert first[0] is first[1] is first[2]
    assert all(quotas.entries[-1].key == "127.0.0.1:1" for quotas in spans if quotas is not None)


@pytest.fixture
def calm(api: ScriptedApi) -> ScriptedApi:
    """A server that accepts every order."""
    for path in ("place-order", "cancel-order"):
        api.on(f"/api/v2/mix/order/{path}", {"code": "00000", "data": {"orderId": "1", "clientOid": "c"}})
    return api


def test_entries_are_rejected_and_cancels_are_not(calm: ScriptedApi) -> None:
    """The slots for entries are taken: a cancel and a reduce-only order are still sent."""
    admission = {"max_concurrent": 2, "lanes": {"cancel": {"reserve": 1, "priority": 1}}}
    settings = {"p": {"extends": "bitget", "admission": admission}}
    rules = Policies.from_mapping({"policies": settings}, clock=FakeClock())
    client = wrap(_client(calm.rest), "p", policies=rules)
    entered, end = threading.Event(), threading.Event()

    @rules.resilient("p")
    def hold_slot() -> None:
        entered.set()
        end.wait()

    thread = threading.Thread(target=hold_slot)
    thread.start()
    entered.wait()
    order = {"symbol": "BTCUSDT", "size": "1", "clientOid": "c"}
    with pytest.raises(AdmissionRejectedError):
        client.mix_place_order(**order)
    assert client.mix_cancel_order(symbol="BTCUSDT", orderId="1")["orderId"] == "1"
    assert client.mix_place_order(**order, reduceOnly="YES")["orderId"] == "1"
    assert client.post("/api/v2/mix/order/place-order", {**order, "reduceOnly": "YES"})["code"] == "00000"
    end.set()
    thread.join()
    assert len(calm.seen) == 3


def _client(url: str) -> BitgetClient:
    return BitgetClient("sandbox-key", "sandbox-secret-0123456789", "sandbox-pass", base_url=url)
