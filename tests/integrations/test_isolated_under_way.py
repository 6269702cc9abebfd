"""The kill switch while two hundred calls are under way through one client: no request begins after it was thrown."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import ccxt.async_support
import pytest
import trio

from resilience import CircuitOpenError, Policies, wrap
from tests.integrations.http_clients import Ask, Async, Got, HttpClient, every_client, policies

CALLS = 200
CONNECTIONS = 100
"""The limit that httpx and aiohttp have by default."""
TIMEOUT = 60.0


class HeldServer(ThreadingHTTPServer):
    """A server that keeps every request waiting, then answers each with 503."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.count = 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def wait_until_stuck(self) -> None:
        """Wait until no further request arrives: what is left waits in its client."""
        last = -1
        while self.count == 0 or self.count != last:
            last = self.count
            time.sleep(0.5)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: HeldServer

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.count += 1
        self.server.go_on.wait(TIMEOUT)
        self.send_response(503)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"down")

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HeldServer]:
    """A server that holds its answers back."""
    held = HeldServer()
    yield held
    held.go_on.set()
    held.shutdown()
    held.server_close()


def patient_policies() -> Policies:
    """Return policies that would send each call again."""
    return policies(
        attempt_timeout="60s",
        deadline="120s",
        retry={"max_attempts": 5, "backoff": {"kind": "constant", "initial": "10ms", "jitter": "none"}},
    )


def isolate_and_go_on(rules: Policies, server: HeldServer) -> None:
    """Isolate once everything is stuck, and let the server answer."""
    server.wait_until_stuck()
    rules.isolate("p", reason="the strategy is wrong")
    server.go_on.set()


def play(client: HttpClient, rules: Policies, server: HeldServer) -> list[Any]:
    """Make all calls at once and isolate in the middle; return the outcomes."""
    with ThreadPoolExecutor(1) as aside:
        switch = aside.submit(isolate_and_go_on, rules, server)
        if isinstance(client, Async):
            outcomes = client.main(lambda: _all_async(client, rules, server.url))
        else:
            with client.open(rules) as opened, ThreadPoolExecutor(CALLS) as pool:
                each = [pool.submit(client.outcome, opened, server.url, Ask()) for _ in range(CALLS)]  # type: ignore[attr-defined]
                outcomes = [one.result() for one in each]
        switch.result()
        return outcomes


async def _all_async(client: Async, rules: Policies, url: str) -> list[Any]:
    outcomes: list[Any] = []

    async def once(opened: Any) -> None:
        outcomes.append(await client.outcome(opened, url, Ask()))

    async with client.open(rules) as opened:
        if client.loop == "trio":
            async with trio.open_nursery() as nursery:
                for _ in range(CALLS):
                    nursery.start_soon(once, opened)
        else:
            await asyncio.gather(*(once(opened) for _ in range(CALLS)))
    return outcomes


@pytest.mark.full
@every_client
def test_no_request_begins_after_it(client: HttpClient, server: HeldServer) -> None:
    """Neither a retry nor a request that waited in the client for a connection; what was sent gets its answer."""
    outcomes = play(client, patient_policies(), server)
    rejected = [outcome for outcome in outcomes if not isinstance(outcome, Got)]
    # The server answers nothing before the switch is thrown, so that no call has sent a second request by then, and
    # where the client has a limit of connections, no more than that have been sent.
    assert server.count == CALLS - len(rejected)
    assert server.count <= (CONNECTIONS if client.name.startswith(("httpx", "aiohttp")) else CALLS)
    for error in rejected:
        assert isinstance(error, CircuitOpenError)
        assert isinstance(error, client.error)
        assert (error.reason, error.policy) == ("isolated", "p")
        assert "policy 'p' is isolated by hand, nothing was sent: the strategy is wrong" in str(error)
    assert {outcome.status for outcome in outcomes if isinstance(outcome, Got)} <= {503}


@every_client
def test_a_release_lets_calls_be_sent_again(client: HttpClient, server: HeldServer) -> None:
    """Isolated, nothing leaves; released, the next call does."""
    rules = policies(retry=None)
    rules.isolate()
    server.go_on.set()
    (refused,) = client.run(rules, server.url, Ask())
    assert (refused.reason, server.count) == ("isolated", 0)
    assert rules.release() == 1
    assert client.run(rules, server.url, Ask()) == [Got(503, "down")]


@pytest.mark.slow
def test_calls_in_ccxts_own_queue_are_not_sent(server: HeldServer) -> None:
    """They wait for ccxt's rate limit when the switch is thrown."""
    rules = patient_policies()

    async def story() -> list[Any]:
        exchange = ccxt.async_support.binance({"rateLimit": 100, "options": {"fetchCurrencies": False}})
        exchange.set_markets(
            [
                {
                    "id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "type": "spot",
                    "spot": True, "precision": {"amount": 1e-6, "price": 0.01},
                }
            ]
        )  # fmt: skip
        exchange.urls["api"]["public"] = server.url
        client = wrap(exchange, "p", policies=rules)
        try:
            return await asyncio.gather(*(client.fetch_time() for _ in range(CALLS)), return_exceptions=True)
        finally:
            await client.close()

    def switch() -> None:
        while server.count < 3:
            time.sleep(0.01)
        rules.isolate("p")
        server.go_on.set()

    with ThreadPoolExecutor(1) as aside:
        thrown = aside.submit(switch)
        outcomes = asyncio.run(story())
        thrown.result()
    assert all(isinstance(outcome, ccxt.BaseError) for outcome in outcomes)
    reasons = [getattr(outcome, "reason", "") for outcome in outcomes]
    assert reasons.count("isolated") == CALLS - server.count > CALLS / 2
