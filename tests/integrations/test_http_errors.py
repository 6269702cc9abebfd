"""How each kind of failure is classified, for every client on real sockets: not sent, or uncertain."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3

from resilience import failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations import server as plays
from tests.integrations.http_clients import Ask, HttpClient, every_client, policies
from tests.integrations.server import Server, answer

REFUSED = {"connection_refused"}
BROKEN = {"connection_reset", "protocol_error", "connection_error", "incomplete_read"}
SCRIPTED: dict[str, tuple[Any, set[str]]] = {
    "dropped before it was read": (plays.drop_before, BROKEN),
    "dropped after it was read": (plays.drop_after, BROKEN),
    "reset after it was read": (plays.reset_after, BROKEN),
    "dropped in the body": (plays.drop_mid_body, BROKEN),
    "no answer in time": (plays.silent, {"read_timeout", "timeout"}),
    "half a body in time": (plays.stuck_body, {"read_timeout", "timeout"}),
    "an invalid chunk": (plays.bad_chunk, BROKEN),
    "garbage for gzip": (plays.bad_gzip, {"decode_error", "incomplete_read"}),
    "an answer that is not HTTP": (plays.no_http, BROKEN),
    "too many redirects": (answer(307, "", Location="/again"), {"too_many_redirects"}),
}


def fail(client: HttpClient, url: str, **policy: Any) -> Exception:
    """Send one POST and return its error; if the attempt ends at the headers, it is raised while reading the body."""
    (error,) = client.run(policies(FakeClock(), retry=None, **policy), url, Ask("POST", "/", body=b"{}"))
    assert isinstance(error, Exception)
    return error


@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")  # httpx on trio
@every_client
@pytest.mark.parametrize("failure_name", SCRIPTED)
def test_a_failure_after_sending_is_uncertain(client: HttpClient, failure_name: str) -> None:
    """Any failure after the request may have arrived leaves a write uncertain."""
    behaviour, codes = SCRIPTED[failure_name]
    if client.name == "aiohttp middleware" and failure_name == "half a body in time":
        pytest.skip("the attempt has ended at the headers, and the session's own timeout is minutes")
    with Server(behaviour) as server:
        limit = "1s" if behaviour in (plays.silent, plays.stuck_body) else "60s"
        failure = failure_of(fail(client, server.url, attempt_timeout=limit, follow_redirects=True))
    assert (failure.executed, failure.code in codes) == ("maybe", True), failure


@pytest.fixture
def full() -> Iterator[str]:
    """A port whose queue of connections is full: connecting neither succeeds nor fails."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for sock in waiting:
            sock.setblocking(False)
            sock.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for sock in waiting:
            sock.close()


@every_client
def test_a_refused_connection(client: HttpClient) -> None:
    """If the connection is refused, nothing was sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        failure = failure_of(fail(client, f"http://127.0.0.1:{taken.getsockname()[1]}"))
    assert (failure.executed, failure.category, failure.code) == ("no", "retryable", "connection_refused")


@every_client
def test_an_unknown_host(client: HttpClient) -> None:
    """If the host name cannot be resolved, nothing was sent."""
    failure = failure_of(fail(client, "http://nobody.invalid"))
    assert (failure.executed, failure.category, failure.code) == ("no", "retryable", "dns")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse connections to a full queue")
@every_client
def test_no_connection_in_time(client: HttpClient, full: str) -> None:
    """If connecting took too long, nothing was sent."""
    if client.name == "aiohttp middleware":
        pytest.skip("a middleware cannot change its session's timeout: the attempt is cancelled, and uncertain")
    failure = failure_of(fail(client, full, attempt_timeout="1s"))
    assert (failure.executed, failure.category, failure.code) == ("no", "retryable", "connect_timeout")


@every_client
@pytest.mark.parametrize("url", ["http://[::1", "ftp://127.0.0.1/", "nothing"])
def test_an_invalid_url(client: HttpClient, url: str) -> None:
    """A URL that the client rejects is fatal, and nothing was sent; the error is the client's own."""
    if client.name == "urllib3 pool manager" and url == "nothing":
        pytest.skip("urllib3 warns of a URL without a scheme, and takes it for the name of a host")
    (error,) = client.run(policies(FakeClock()), "", Ask("POST", url, body=b"{}"))
    failure = failure_of(error)
    assert (failure.executed, failure.category, failure.code) == ("no", "fatal", "invalid_url")


def plain_answer(connection: plays.Connection) -> None:
    """Respond to a TLS handshake in plain HTTP."""
    connection.sock.recv(65_536)
    connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@every_client
def test_tls_against_a_plain_port(client: HttpClient) -> None:
    """If the handshake fails, nothing was sent; the error of requests does not say so, its connection does."""
    if client.name == "requests adapter":
        pytest.skip("mounted for http alone")
    with Server(plain_answer) as server:
        failure = failure_of(fail(client, server.url.replace("http:", "https:")))
    assert failure.executed == "no"


@every_client
def test_a_status_that_the_server_did_send(client: HttpClient) -> None:
    """A 400 of the server's own is a rejection: nothing was executed."""
    with Server(answer(400, "bad")) as server:
        (got,) = client.run(policies(FakeClock()), server.url, Ask("POST", body=b"{}"))
    assert got.status == 400


def test_a_status_that_aiohttp_made_up() -> None:
    """Aiohttp's parser reports a response that it cannot read as status 400; that is uncertain, a real 400 is not."""

    async def post(session: aiohttp.ClientSession, url: str) -> None:
        async with session.post(url, data=b"{}") as reply:
            await reply.read()

    executed = []
    for behaviour in (plays.no_http, plays.drop_mid_body, answer(400)):
        with Server(behaviour) as server:
            executed.append(failure_of(_caught(post, server.url)).executed)
    assert executed == ["maybe", "maybe", "no"]


def _caught(post: Callable[..., Any], url: str) -> Exception:
    import asyncio

    async def main() -> Exception:
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            try:
                await post(session, url)
            except aiohttp.ClientError as error:
                return error
        raise AssertionError("no error")

    return asyncio.run(main())


@pytest.mark.parametrize("make", [requests.Session, httpx.Client])
@pytest.mark.parametrize(("method", "executed"), [("get", "n_a"), ("post", "maybe")])
def test_an_error_of_raise_for_status(make: Callable[[], Any], method: str, executed: str) -> None:
    """The error has the failure of its answer: only the call knows whether it was a read, and how often it was sent."""
    with Server(answer(500, "broken")) as server, wrap(make(), "http", policies=policies(FakeClock())) as client:
        reply = getattr(client, method)(server.url)
        with pytest.raises((requests.HTTPError, httpx.HTTPStatusError)) as caught:
            reply.raise_for_status()
    failure = failure_of(caught.value)
    assert (failure.executed, failure.operation) == (executed, method)
    assert failure is failure_of(reply)


def test_no_free_connection() -> None:
    """A request that got no connection from the pool was not sent."""
    errors: list[Exception] = []
    limits, limit = httpx.Limits(max_connections=1), httpx.Timeout(60, pool=0.05)
    with Server(plays.stuck_body) as server, httpx.Client(limits=limits, timeout=limit) as client:
        with client.stream("GET", server.url), pytest.raises(httpx.PoolTimeout) as waited:
            client.post(server.url)
        errors.append(waited.value)
    port = int(server.url.rpartition(":")[2])
    with urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=1, block=True) as pool:
        _ = pool._get_conn()
        with pytest.raises(urllib3.exceptions.EmptyPoolError) as empty:
            pool.urlopen("POST", "/", pool_timeout=0.05, retries=False)
        errors.append(empty.value)
    assert [(failure_of(error).executed, failure_of(error).code) for error in errors] == [("no", "pool_timeout")] * 2


def test_a_redirect_to_an_invalid_url() -> None:
    """A POST that was redirected to an invalid URL may have been executed."""

    async def post(session: aiohttp.ClientSession, url: str) -> None:
        async with session.post(url, data=b"{}"):
            pass

    with Server(answer(303, "", Location="ftp://127.0.0.1/")) as server:
        error = _caught(post, server.url)
    assert (failure_of(error).category, failure_of(error).executed) == ("fatal", "maybe")
