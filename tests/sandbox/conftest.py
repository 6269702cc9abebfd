"""Requests signed by the tests' own hand, not by the client that the sandbox is there to test."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from resilience.sandbox import Sandbox


def _send(exchange: Sandbox, method: str, path: str, params: Any = None, **change: Any) -> requests.Response:
    timeout = change.pop("timeout", 5)
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
    """Send `(exchange, method, path, params)`; `ahead` moves our clock, `timeout` is ours, the rest spoils headers."""
    return _send
