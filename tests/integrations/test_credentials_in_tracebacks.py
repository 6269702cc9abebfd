"""A reporter of errors prints local variables. No frame of ours, or of an HTTP library beneath, shows a credential."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import ccxt
import httpx
import pytest
import requests
import urllib3

from resilience import Policies, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient
from resilience.integrations.requests import ResilientAdapter
from resilience.telemetry.concealment import SecretText, conceal

SECRETS = ("s3cr3t-k3y-0123456789", "s3cr3t-s1gn-9876543210", "s3cr3t-phr4se-55555")
HEADERS = {"ACCESS-KEY": SECRETS[0], "Authorization": f"Bearer {SECRETS[1]}", "X-Passphrase": SECRETS[2], "a": "b"}
POLICIES = Policies.from_mapping({"policies": {"p": {"retry": {"max_attempts": 2, "backoff": {"initial": "1ms"}}}}})


@pytest.fixture(scope="module")
def cut() -> Iterator[str]:
    """Serve an address whose connections are closed as soon as a request has come."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    closing = threading.Event()

    def serve() -> None:
        while not closing.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.recv(65536)
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    closing.set()
    thread.join()
    listener.close()


@pytest.fixture(scope="module")
def closed() -> str:
    """Return an address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def shown(error: BaseException) -> str:
    """Return the traceback with locals, without the frames of this file: they hold the secrets by design."""
    parts: list[str] = []
    for trace in chain_of(traceback.TracebackException.from_exception(error, capture_locals=True)):
        frames = [frame for frame in trace.stack if frame.filename != __file__]
        parts += [f"{frame.filename}:{frame.lineno} {frame.name}: {frame.locals}" for frame in frames]
    return "\n".join(parts)


def chain_of(trace: Any) -> Iterator[Any]:
    """Yield a traceback and those of its causes and contexts."""
    while trace is not None:
        yield trace
        if trace.__context__ is not None and trace.__context__ is not trace.__cause__:
            yield from chain_of(trace.__context__)
        trace = trace.__cause__


def assert_hidden(error: BaseException, *secrets: str) -> None:
    """Assert that no line of the traceback has one of the secrets."""
    lines = [line for line in shown(error).splitlines() for secret in secrets if secret in line]
    assert lines == []


def via_requests(url: str) -> Any:
    """Make a request through a wrapped session, with credentials of the call and of the session."""
    with requests.Session() as session:
        session.headers["X-Api-Key"] = SECRETS[1]
        wrap(session, "p", policies=POLICIES).get(url, headers=HEADERS, cookies={"session_id": SECRETS[2]}, timeout=2)


def via_requests_basic(url: str) -> Any:
    """Make a POST with a login and a password."""
    with requests.Session() as session:
        bot = wrap(session, "p", policies=POLICIES)
        bot.post(url, auth=("me", SECRETS[0]), json={"password": SECRETS[1]}, timeout=2)


def via_httpx(url: str) -> Any:
    """Make a request through a wrapped client of httpx."""
    with httpx.Client(headers={"X-Api-Key": SECRETS[1]}, timeout=2) as client:
        wrap(client, "p", policies=POLICIES).get(url, headers=HEADERS)


def via_httpx_async(url: str) -> Any:
    """Make a request through a wrapped async client of httpx."""

    async def main() -> None:
        async with httpx.AsyncClient(headers={"X-Api-Key": SECRETS[1]}, timeout=2) as client:
            await wrap(client, "p", policies=POLICIES).post(url, headers=HEADERS, auth=("me", SECRETS[0]))

    asyncio.run(main())


def via_aiohttp(url: str) -> Any:
    """Make a request through a wrapped session of aiohttp."""

    async def main() -> None:
        async with aiohttp.ClientSession(headers={"X-Api-Key": SECRETS[1]}) as session:
            await wrap(session, "p", policies=POLICIES).get(url, headers=HEADERS)

    asyncio.run(main())


def via_bitget(url: str) -> Any:
    """Call Bitget."""
    with BitgetClient(*SECRETS, base_url=url, timeout=2) as client:
        wrap(client, "p", policies=POLICIES).get("/api/v2/spot/account/assets")


def via_bitget_async(url: str) -> Any:
    """Call Bitget with the async client."""

    async def main() -> None:
        async with AsyncBitgetClient(*SECRETS, base_url=url, timeout=2) as client:
            await wrap(client, "p", policies=POLICIES).get("/api/v2/spot/account/assets")

    asyncio.run(main())


def via_ccxt(url: str) -> Any:
    """Call an exchange of ccxt."""
    exchange = ccxt.bitget(dict(zip(("apiKey", "secret", "password"), SECRETS, strict=True)))
    exchange.urls["api"] = dict.fromkeys(exchange.urls["api"], url)
    wrap(exchange, "p", policies=POLICIES).private_spot_get_v2_spot_account_assets()


def via_requests_seam(url: str) -> Any:
    """Make a request through an adapter of a session that is not wrapped itself."""
    with requests.Session() as session:
        session.mount("http://", ResilientAdapter("p", policies=POLICIES))
        session.get(url, timeout=2, headers={"X-Api-Key": SecretText(SECRETS[0])})


def via_urllib3(url: str) -> Any:
    """Make a request through a wrapped pool manager."""
    with urllib3.PoolManager(headers={"X-Api-Key": SECRETS[1]}) as pool:
        wrap(pool, "p", policies=POLICIES).request("GET", url, headers=HEADERS, timeout=2)


WAYS = [
    via_urllib3,
    via_requests, via_requests_basic, via_requests_seam, via_httpx, via_httpx_async, via_aiohttp, via_bitget,
    via_bitget_async, via_ccxt,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__[4:])
@pytest.mark.parametrize("address", ["cut", "closed"])
def test_frames_show_no_credentials(way: Callable[[str], Any], address: str, request: pytest.FixtureRequest) -> None:
    """The connection breaks before or after the request has left."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # each client has its own class
        way(request.getfixturevalue(address))
    assert_hidden(caught.value, *SECRETS)


def test_credentials_that_are_incomplete_are_not_shown() -> None:
    """The error about a missing passphrase shows neither key nor secret."""
    with pytest.raises(ValueError, match="all needed") as caught:
        BitgetClient(SECRETS[0], SECRETS[1])
    assert_hidden(caught.value, *SECRETS)
    with pytest.raises(ValueError, match="receive_window") as caught:
        BitgetClient(*SECRETS, receive_window=0)
    assert_hidden(caught.value, *SECRETS)


def test_a_concealed_value_is_a_string() -> None:
    """It is sent, compared, copied and pickled as a plain string; whoever unpickles it needs no library."""
    text = SecretText("abc")
    assert (text, f"{text}", str(text), json.dumps({"k": text})) == ("abc", "abc", "abc", '{"k": "abc"}')
    assert repr([text]) == "['[redacted]']"
    assert repr(copy.deepcopy([copy.copy(text)])) == "['[redacted]']"
    assert b"resilience" not in pickle.dumps(text)
    assert type(pickle.loads(pickle.dumps(text))) is str


def test_only_values_with_names_of_secrets_are_concealed() -> None:
    """Other headers stay readable, and a mapping without secrets is passed as it is."""
    plain = {"Content-Type": "application/json"}
    assert conceal(plain) is plain
    assert repr(conceal(HEADERS)["a"]) == "'b'"
    headers = requests.structures.CaseInsensitiveDict({"authorization": "x"})
    concealed = conceal(headers)
    assert type(concealed) is type(headers)
    assert (concealed["AUTHORIZATION"], repr(concealed["Authorization"])) == ("x", "'[redacted]'")
    assert type(headers["Authorization"]) is str  # the caller's own is unchanged
