"""Credentials appeared in errors: in the request of a transport's error, and in bodies echoed by a server."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from resilience.bitget import AsyncBitgetClient, BitgetApiError, BitgetClient

CANARIES = ("key-CANARY-11", "secret-CANARY-22", "pass-CANARY-33")
ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
SENT = ("key-CANARY-11", "pass-CANARY-33")


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers of the request, or drops the connection on the path of a balance."""

    def do_POST(self) -> None:
        """Echo."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = json.dumps(dict(self.headers))
        body = json.dumps({"code": "40012", "msg": headers, "data": {"seen": [headers]}, "requestTime": 1}).encode()
        self.send_response(400)
        self.send_header("X-Seen", self.headers["ACCESS-PASSPHRASE"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Hang up."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that echoes credentials."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def headers_of(error: Any) -> dict[str, str]:
    """Return the headers of the request that an error carries."""
    return {name.lower(): value for name, value in error.request.headers.items()}


def test_a_lost_connection_carries_no_credentials(url: str) -> None:
    """The request in the error of `requests` has its path and stamp, and no credential."""
    with BitgetClient(*CANARIES, base_url=url) as client, pytest.raises(requests.ConnectionError) as caught:
        client.spot_balance()
    headers = headers_of(caught.value)
    assert "access-timestamp" in headers
    assert {headers[f"access-{name}"] for name in ("key", "sign", "passphrase")} == {"[redacted]"}


async def _lost(url: str) -> Any:
    async with AsyncBitgetClient(*CANARIES, base_url=url) as client:
        try:
            await client.spot_balance()
        except Exception as error:
            return error


def test_a_lost_connection_of_httpx_carries_no_credentials(url: str) -> None:
    """The request in the error of `httpx` has no credential either."""
    import asyncio

    headers = headers_of(asyncio.run(_lost(url)))
    assert {headers[f"access-{name}"] for name in ("key", "sign", "passphrase")} == {"[redacted]"}


def test_an_echo_is_redacted_in_the_error(url: str) -> None:
    """No credential from an echoed request appears in the error's text, body or headers."""
    with BitgetClient(*CANARIES, base_url=url) as client, pytest.raises(BitgetApiError) as caught:
        client.spot_place_order(**ORDER)
    error = caught.value
    shown = f"{error!r} {error} {error.args} {vars(error)}"
    assert not [one for one in SENT if one in shown]
    assert (error.api_code, error.body["code"], error.body["requestTime"]) == ("40012", "40012", 1)
    assert error.headers["X-Seen"] == "[redacted]"
