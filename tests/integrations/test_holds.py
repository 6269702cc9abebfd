"""Holds through wrapped clients on real sockets: what each of them hears, and what it is kept from."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import pytest
import requests

from resilience import NOT_FOUND, Policies, failure_of, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient
from resilience.testing import FakeClock
from tests.conftest import SPOT, CcxtBots
from tests.integrations.http_clients import Ask, Got, HttpClient, every_client, policies
from tests.integrations.server import Server, answer

BAN = '{"code":-1003,"msg":"Way too many requests; IP banned until 1700000120000."}'
KEYS = ("sandbox-key", "sandbox-secret-0123456789", "sandbox-pass")


def reasons(outcomes: list[Any]) -> list[str]:
    """Return why each call was rejected; empty for the others."""
    return [getattr(outcome, "reason", "") for outcome in outcomes]


@every_client
def test_a_ban_is_kept_for_the_host(client: HttpClient) -> None:
    """A read is banned: reads, writes and cancels of that host send nothing, in errors of the client's own base."""
    asks = Ask(), Ask(), Ask("POST", body=b"{}"), Ask("DELETE", "/orders/1")
    with Server(answer(418, Retry_After="120")) as server:
        got = client.run(policies(FakeClock()), server.url, *asks)
        assert got[0] == Got(418, "fine")
        assert reasons(got[1:]) == ["hold"] * 3
        assert all(isinstance(error, client.error) and error.retry_after == 120.0 for error in got[1:])
        assert len(server.requests) == 1


@every_client
@pytest.mark.parametrize("status", [429, 503])
def test_a_limit_is_kept_for_the_operation(client: HttpClient, status: int) -> None:
    """Other methods of the host are still sent, and after the wait so is this one."""
    clock = FakeClock()
    rules = policies(clock, retry=None)
    with Server(answer(status, Retry_After="120"), answer()) as server:
        got = client.run(rules, server.url, Ask(), Ask(), Ask("POST", body=b"{}"))
        assert (got[0].status, reasons(got[1:2]), got[2]) == (status, ["hold"], Got(200, "fine"))
        clock.advance(120.0)
        assert client.run(rules, server.url, Ask()) == [Got(200, "fine")]
        assert len(server.requests) == 3


@every_client
def test_a_call_waits_where_its_deadline_allows_it(client: HttpClient) -> None:
    """The second request is sent when the wait is over."""
    clock = FakeClock()
    with Server(answer(429, Retry_After="50"), answer()) as server:
        got = client.run(policies(clock, retry=None), server.url, Ask(), Ask())
    assert (got[1], clock.sleeps) == (Got(200, "fine"), [50.0])


@every_client
@pytest.mark.parametrize(
    ("status", "body"),
    [(418, BAN), (429, BAN), (429, '{"retryAfter": 120}'), (503, '{"error": {"data": {"retryAfter": 1700000120000}}}')],
)
def test_a_wait_in_a_body_is_kept(client: HttpClient, status: int, body: str) -> None:
    """Where the client has read the body, its words and fields count as much as a header."""
    clock, now = FakeClock(), "Tue, 14 Nov 2023 22:13:20 GMT"  # the fake clock begins at 1700000000
    with Server(answer(status, body=body, Date=now, Content_Type="application/json")) as server:
        got = client.run(policies(clock), server.url, Ask(), Ask())
        assert reasons(got) == ["", "hold"]
        assert got[1].retry_after == 120.0
        assert len(server.requests) == 1


def test_clients_of_one_host_share_its_ban() -> None:
    """Another session, and another client, of the same policies is held; another host is not."""
    rules = policies(FakeClock())
    with Server(answer(418, Retry_After="120")) as server, Server(answer()) as other:
        assert _session(rules).get(server.url).status_code == 418
        later = _session(rules)
        with pytest.raises(requests.RequestException) as caught:
            later.get(server.url)
        assert reasons([caught.value]) == ["hold"]
        assert later.get(other.url).status_code == 200
        assert (len(server.requests), len(other.requests)) == (1, 1)
        hold = rules.snapshot()["holds"][0]
        assert (hold["scope"], hold["host"], hold["policies"]) == ("host", server.url.removeprefix("http://"), ["p"])
        assert rules.release() == 1
        later.get(server.url)
        assert len(server.requests) == 2


def test_a_lookup_is_held_like_any_call() -> None:
    """The write is in doubt and its lookup is banned: no further lookup is sent, and the outcome stays unknown."""
    clock = FakeClock()
    rules = policies(clock, deadline="30s")
    with Server(answer(502), answer(418, Retry_After="120")) as server:
        lookups = _session(rules)

        def reconcile(call: Any) -> Any:
            lookups.get(f"{server.url}/orders/{call.key}")
            return NOT_FOUND

        session = wrap(_plain(), "p", policies=rules, operations={"post": {"reconcile": reconcile}})
        reply = session.post(server.url, data="{}")
        assert [request.method for request in server.requests] == ["POST", "GET"]
        assert failure_of(reply).executed == "maybe"


def _plain() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _session(rules: Policies) -> requests.Session:
    return wrap(_plain(), "p", policies=rules)


# --- exchanges -------------------------------------------------------------------------------------


def exchange_policies(base: str) -> Policies:
    """Return policies on a fake clock with one named `p`."""
    return Policies.from_mapping({"policies": {"p": {"extends": base, "quota": "off"}}}, clock=FakeClock())


class Address:
    """Where a scripted server is."""

    def __init__(self, server: Server) -> None:
        self.rest = server.url


def outcome(call: Any, *args: Any, **kwargs: Any) -> Any:
    """Return what a call returns or raises."""
    try:
        return call(*args, **kwargs)
    except Exception as error:
        return error


def test_ccxt_keeps_a_ban(bots: CcxtBots) -> None:
    """The exchange's own error class is kept, and every method of that account is held in an error of ccxt's."""
    with Server(answer(418, body=BAN, Retry_After="120")) as server:
        exchange = wrap(bots.plain(Address(server)), "p", policies=exchange_policies("ccxt"))
        calls = (exchange.fetch_ticker, SPOT), (exchange.fetch_balance,), (exchange.cancel_order, "1", SPOT)
        first, *later = [outcome(bots.call, *call) for call in (calls[0], *calls)]
        assert isinstance(first, ccxt.BaseError)
        assert reasons([first, *later]) == ["", "hold", "hold", "hold"]
        assert all(isinstance(error, ccxt.NetworkError) for error in later)
        assert len(server.requests) == 1


def test_bitget_keeps_a_ban() -> None:
    """A ban of one account's host holds reads and cancels, and not those of another account."""
    rules = exchange_policies("bitget")
    with Server(answer(418, body="{}", Retry_After="120")) as server:
        client, other = (
            wrap(BitgetClient(key, *KEYS[1:], base_url=server.url), "p", policies=rules)
            for key in (KEYS[0], "another-key-of-a-test")
        )
        read = "/api/v2/spot/account/assets"
        first = outcome(client.get, read)
        assert (failure_of(first).category, failure_of(first).retry_after) == ("retryable", 120.0)
        later = [outcome(client.get, read), outcome(client.spot_cancel_order, symbol="X", orderId="1")]
        assert reasons(later) == ["hold", "hold"]
        assert len(server.requests) == 1
        assert reasons([outcome(other.get, read)]) == [""]
        assert len(server.requests) == 2


def test_async_bitget_keeps_a_ban() -> None:
    """The async client does the same."""

    async def run(url: str) -> list[Any]:
        async with AsyncBitgetClient(*KEYS, base_url=url) as plain:
            client = wrap(plain, "p", policies=exchange_policies("bitget"))
            cancel = client.spot_cancel_order(symbol="X", orderId="1")
            read = client.get("/api/v2/spot/account/assets")
            return [(await asyncio.gather(call, return_exceptions=True))[0] for call in (read, cancel)]

    with Server(answer(418, body="{}", Retry_After="120")) as server:
        assert reasons(asyncio.run(run(server.url))) == ["", "hold"]
        assert len(server.requests) == 1
