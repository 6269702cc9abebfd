"""A server that sends a byte at a time holds nobody longer than an attempt lasts."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import httpx
import pytest
import requests

from resilience import Policies, failure_of, wrap
from resilience.integrations.httpx import ResilientTransport, new_client
from resilience.integrations.httpx import send as send_httpx
from resilience.integrations.requests import ResilientAdapter, new_session, send
from tests.conftest import CcxtBots

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1002\r\n"
BODY = b'"' + b"x" * 1000 + b'"'


class SlowServer:
    """Sends a part of its answer at once and the rest byte by byte, 20 per second.

    Attributes:
        sent: the bytes that were sent slowly.
        left: whether the client closed the connection.
    """

    def __init__(self, at_once: bytes = HEAD + b"\r\n", slowly: bytes = BODY) -> None:
        self.at_once, self.slowly = at_once, slowly
        self.sent = 0
        self.left, self._over = threading.Event(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            seen = b""
            while b"\r\n\r\n" not in seen:
                seen += connection.recv(65536)
            try:
                connection.sendall(self.at_once)
                for byte in self.slowly:
                    connection.sendall(bytes([byte]))
                    self.sent += 1
                    self._over.wait(0.05)
            except OSError:
                self.left.set()

    def close(self) -> None:
        """Stop listening, and send what is left at once."""
        self._over.set()
        self._listener.close()


@pytest.fixture
def slow() -> Iterator[SlowServer]:
    """A server whose body is slow."""
    server = SlowServer()
    yield server
    server.close()


def policies(**settings: Any) -> Policies:
    """Return policies with one named `p` whose attempts last 0.3 s."""
    policy = {"codes": ["http"], "attempt_timeout": "300ms", "retry": {"max_attempts": 1}, **settings}
    return Policies.from_mapping({"policies": {"p": policy}})


def with_session(url: str) -> Any:
    """Get it by a wrapped session."""
    with wrap(requests.Session(), "p", policies=policies()) as session:
        return session.get(url)


def with_adapter(url: str) -> Any:
    """Get it by a session with our adapter."""
    with requests.Session() as session:
        session.mount("http://", ResilientAdapter("p", policies=policies()))
        return session.get(url)


def with_single_requests(url: str) -> Any:
    """Get it as our own clients do."""
    session = new_session()
    get = policies().pipeline("p").compile(lambda: send(session, "GET", url, headers={}, data=None, timeout=9))
    try:
        return get()
    finally:
        session.close()


def with_httpx(url: str) -> Any:
    """Get it by a wrapped client."""
    with wrap(httpx.Client(), "p", policies=policies()) as client:
        return client.get(url)


def post_with_session(url: str) -> Any:
    """Write by a wrapped session."""
    with wrap(requests.Session(), "p", policies=policies()) as session:
        return session.post(url, json={})


def post_with_httpx(url: str) -> Any:
    """Write by a wrapped client, with a key."""
    with wrap(httpx.Client(), "p", operations={"post *": {"key": "X-Key"}}, policies=policies()) as client:
        return client.post(url, json={}, headers={"X-Key": "mine-1"})


def with_transport(url: str) -> Any:
    """Get it by our transport, which reads JSON where a code table has an envelope."""
    transport = ResilientTransport("p", policies=policies(codes=["bitget", "http"]))
    with httpx.Client(transport=transport) as client:
        return client.get(url)


READS = [with_session, with_adapter, with_single_requests, with_httpx, with_transport]
WRITES = [post_with_session, post_with_httpx]


@pytest.mark.parametrize("go", READS + WRITES, ids=lambda one: one.__name__)
def test_a_slow_body(slow: SlowServer, go: Callable[[str], Any]) -> None:
    """Reading stops when the attempt is over: a read timeout, and the connection is closed."""
    with pytest.raises((requests.ReadTimeout, httpx.ReadTimeout)) as caught:
        go(slow.url)
    assert slow.left.wait(10)
    assert slow.sent < len(BODY) / 4  # the machine may be slow; without a limit it would be all of them
    assert failure_of(caught.value).executed != "no"


def with_single_httpx(url: str) -> Any:
    """Get it as a sync client of our own on httpx does."""
    client = new_client()
    get = policies().pipeline("p").compile(lambda: send_httpx(client, "GET", url, headers={}, data=None, timeout=9))
    with client:
        return get()


def stream_with_httpx(url: str) -> Any:
    """Get its headers by a wrapped client."""
    with wrap(httpx.Client(), "p", policies=policies()) as client, client.stream("GET", url) as answer:
        return answer.status_code


HEADERS = [with_session, with_adapter, with_single_requests, with_httpx, stream_with_httpx, with_transport]


@pytest.mark.parametrize("go", [*HEADERS, with_single_httpx, *WRITES], ids=lambda one: one.__name__)
@pytest.mark.parametrize(
    ("at_once", "slowly"),
    [(HEAD, b"X-Slow: " + BODY + b"\r\n\r\n"), (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 40 + HEAD)],
    ids=["headers", "early hints"],
)
def test_slow_headers(go: Callable[[str], Any], at_once: bytes, slowly: bytes) -> None:
    """Headers and interim answers that come byte by byte are bounded too."""
    server = SlowServer(at_once, slowly)
    with pytest.raises((requests.ReadTimeout, httpx.ReadTimeout)):
        go(server.url)
    assert server.left.wait(10)
    assert server.sent < len(BODY) / 4
    server.close()


def test_an_exchange_of_ccxt(slow: SlowServer) -> None:
    """Sync exchanges of ccxt are bounded: a `RequestTimeout`."""
    bots = CcxtBots("sync")
    bot = wrap(bots.at(slow.url, "binance"), "p", policies=policies(codes=["ccxt", "http"]))
    with pytest.raises(ccxt.RequestTimeout):
        bot.fetch_ticker("BTC/USDT")
    assert slow.left.wait(10)
    assert slow.sent < len(BODY) / 4
    bots.close()


@pytest.mark.parametrize("kind", ["requests", "adapter", "httpx"])
def test_a_stream_of_the_callers_own(kind: str) -> None:
    """A body that the caller streams may take longer than the attempt."""
    server = SlowServer(slowly=BODY[:10])
    server.at_once = HEAD.replace(b"1002", b"10") + b"\r\n"
    if kind == "httpx":
        with wrap(httpx.Client(), "p", policies=policies()) as client, client.stream("GET", server.url) as answer:
            assert answer.read() == BODY[:10]
    else:
        session: Any = requests.Session()
        if kind == "adapter":
            session.mount("http://", ResilientAdapter("p", policies=policies()))
        else:
            session = wrap(session, "p", policies=policies())
        with session, session.get(server.url, stream=True) as answer:
            assert answer.content == BODY[:10]
    server.close()


def test_a_slow_body_is_read_again() -> None:
    """A read whose body was too slow is retried like any other timeout."""
    server = SlowServer()
    session = wrap(requests.Session(), "p", policies=policies(retry={"max_attempts": 2}))
    with session, pytest.raises(requests.ReadTimeout) as caught:
        session.get(server.url)
    assert failure_of(caught.value).attempts == 2
    server.close()
