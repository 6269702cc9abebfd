"""`explain` says of an error's bare text what the runtime says of the error: same category, executed and remedy."""

from __future__ import annotations

import asyncio
import json
import socket
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3

from resilience import failure_of
from resilience.cli import main


@pytest.fixture(scope="module")
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/orders"


async def _get(url: str) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.05)) as session, session.get(url):
        pass


CLIENTS: dict[str, Callable[[str], Any]] = {
    "requests": lambda url: requests.get(url, timeout=0.05, proxies={"http": ""}),
    "urllib3": lambda url: urllib3.PoolManager().request("GET", url, retries=False, timeout=0.05),
    "urllib3 with retries": lambda url: urllib3.PoolManager().request("GET", url, retries=0, timeout=0.05),
    "httpx": lambda url: httpx.get(url, timeout=0.05, trust_env=False),
    "aiohttp": lambda url: asyncio.run(_get(url)),
    "urllib": lambda url: urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=0.05),
}
FORMS: dict[str, Callable[[Exception], str]] = {
    "traceback": lambda error: "".join(traceback.format_exception(error)),
    "last line": lambda error: traceback.format_exception_only(error)[-1],
    "text": str,
    "repr": repr,
    "class and text": lambda error: f"{type(error).__name__}: {error}",
}


def explained(text: str, capsys: pytest.CaptureFixture[str]) -> tuple[str, str, str]:
    """Return what `explain` says of a text."""
    assert main(["explain", "--json", text]) in (0, 1)
    answer = json.loads(capsys.readouterr().out)
    return answer["category"], answer["executed"], answer["remedy"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("trouble", ["refused", "silent"])
def test_as_the_runtime_says(
    trouble: str, client: str, form: str, silent: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """However a program has logged the error of its client, the explanation is that of the live error."""
    url = silent if trouble == "silent" else "http://127.0.0.1:1/orders"
    with pytest.raises((OSError, httpx.HTTPError, aiohttp.ClientError, urllib3.exceptions.HTTPError)) as caught:
        CLIENTS[client](url)
    failure = failure_of(caught.value)
    assert failure.executed == ("no" if trouble == "refused" else "maybe")
    text = FORMS[form](caught.value)
    if not text.strip():
        return  # such as asyncio's TimeoutError, whose text is empty
    assert explained(text, capsys) == (failure.category, failure.executed, failure.remedy)


POOL = "HTTPConnectionPool(host='api.example.com', port=80)"
RETRIES = f"{POOL}: Max retries exceeded with url: /orders (Caused by"


@pytest.mark.parametrize(
    ("text", "executed", "remedy"),
    [
        (f"{RETRIES} NameResolutionError(\"x: Failed to resolve 'api' ([Errno -2] not known)\"))", "no", "name"),
        (f"{RETRIES} ConnectTimeoutError('<x>, Connection to api timed out. (connect timeout=1)'))", "no", "in time"),
        (f"{RETRIES} ReadTimeoutError(\"{POOL}: Read timed out. (read timeout=1)\"))", "maybe", "look the write up"),
        (f"{RETRIES} ProxyError('Unable to connect to proxy', OSError('Tunnel failed: 407')))", "no", "proxy"),
        (f"{RETRIES} ResponseError('too many 503 error responses'))", "maybe", ""),
        ("('Connection aborted.', RemoteDisconnected('Remote end closed the connection'))", "maybe", "look"),
        ("('Connection broken: IncompleteRead(3 bytes read, 5 more expected)', x)", "maybe", ""),
        ("Cannot connect to host api:443 ssl:default [Name or service not known]", "no", "name"),
        ("Cannot connect to host api:443 ssl:default [Connect call failed ('10.0.0.1', 443)]", "no", "Nobody"),
        ("Server disconnected", "maybe", "look"),
        ("gaierror: [Errno -2] Name or service not known", "no", "name"),
        ("gaierror(-2, 'Name or service not known')", "no", "name"),
        ("ConnectionRefusedError(111, 'Connection refused')", "no", "Nobody"),
        ("[Errno 111] Connection refused", "no", "Nobody"),
        ("[Errno 104] Connection reset by peer", "maybe", "look"),
        ("TimeoutError()", "maybe", "look"),
        ("ERROR:bot:order failed: [Errno 111] Connection refused", "no", "Nobody"),
        ("2026-11-30 10:00:00,123 ERROR bot: failed: ConnectError('[Errno 111] Connection refused')", "no", "Nobody"),
        (f"order 7: {RETRIES} NewConnectionError('x: Failed: [Errno 111] Connection refused'))", "no", "Nobody"),
        ("myapp.OrderError: [Errno 111] Connection refused", "maybe", ""),
        ("ConnectError(", "maybe", ""),
        ("ConnectError(x y)", "no", "No connection"),
        ("Server disconnected from the game", "maybe", ""),
        ("ReadTimeout", "maybe", ""),
        ("MyError: timed out", "maybe", ""),
    ],
)  # fmt: skip
def test_texts(text: str, executed: str, remedy: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Texts of errors that need a network of their own to happen, and texts that only look like one."""
    _, said, how = explained(text, capsys)
    assert said == executed
    assert remedy in how
