"""Signs requests and socket logins by the tests' own code, not by the client that the sandbox is used to test."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from websockets.sync.client import ClientConnection, connect

from resilience.sandbox import Sandbox


def _send(exchange: Sandbox, method: str, path: str, params: Any = None, **change: Any) -> requests.Response:
    timeout = change.pop("timeout", 60)
    query = "&".join(f"{key}={params[key]}" for key in sorted(params)) if method == "GET" and params else ""
    body = json.dumps(params) if method == "POST" else ""
    stamp = str(int((time.time() + change.pop("ahead", 0.0)) * 1000))
    target = f"{path}?{query}" if query else path
    text = f"{stamp}{method}{target}{body}".encode()
    headers = {
        "ACCESS-KEY": exchange.key,
        "ACCESS-SIGN": base64.b64encode(hmac.digest(exchange.secret.encode(), text, "sha256")).decode(),
        "ACCESS-TIMESTAMP": stamp,
        "ACCESS-PASSPHRASE": exchange.passphrase,
        **change,
    }
    return requests.request(method, exchange.rest + target, data=body or None, headers=headers, timeout=timeout)


@pytest.fixture
def send() -> Callable[..., requests.Response]:
    """Send `(exchange, method, path, params)`; `ahead` moves our clock, other options replace headers."""
    return _send


@pytest.fixture
def open_socket() -> Iterator[Callable[..., ClientConnection]]:
    """Open a socket with `(exchange, path)`; it is closed after the test."""
    pytest.importorskip("websockets", "15.0", reason="the sync client of websockets 14 cannot leave out its pings")
    with ExitStack() as opened:

        def begin(exchange: Sandbox, path: str, **options: Any) -> ClientConnection:
            settings: dict[str, Any] = {"ping_interval": None, "close_timeout": 0.1, "proxy": None, **options}
            return opened.enter_context(connect(exchange.ws + path, **settings))

        yield begin


def _login(exchange: Sandbox, **change: Any) -> dict[str, Any]:
    now = time.time() + change.pop("ahead", 0.0)
    stamp = str(int(now * 1000) if change.pop("ms", False) else int(now))
    digest = hmac.digest(exchange.secret.encode(), f"{stamp}GET/user/verify".encode(), "sha256")
    sign = base64.b64encode(digest).decode()
    timestamp = int(stamp) if change.pop("number", False) else stamp
    return {"apiKey": exchange.key, "passphrase": exchange.passphrase, "timestamp": timestamp, "sign": sign, **change}


@pytest.fixture
def login() -> Callable[..., dict[str, Any]]:
    """Make the arg of a login; `ahead` moves our clock, `ms` and `number` change the timestamp, others the fields."""
    return _login
