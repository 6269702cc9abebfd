"""A server that sends an early hint before each answer: no order gets the answer of the order before it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from resilience import failure_of
from resilience.bitget import AsyncBitgetClient, BitgetApiError, BitgetClient

ORDER = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
KEYS = [f"order-{number}" for number in range(5)]
INTERIM = [
    b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
    b"HTTP/1.1 102 Processing\r\n\r\n",
]


@pytest.fixture(params=INTERIM, ids=["103", "100-103", "103-103", "102"])
def url(request: Any) -> Iterator[str]:
    """A server whose answer to an order is named after the order, and does not repeat its client id."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            data = {"orderId": f"id of {order['clientOid']}"}
            body = json.dumps({"code": "00000", "msg": "success", "requestTime": 1, "data": data}).encode()
            self.wfile.write(request.param)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def outcome(result: Any) -> str:
    """Return the order id of a success, or how uncertain an error is."""
    return str(failure_of(result).executed) if isinstance(result, BitgetApiError) else str(result["orderId"])


def test_the_sync_client(url: str) -> None:
    """Each order gets its own answer, or none: then it is uncertain, and a policy would look it up."""
    outcomes = {}
    with BitgetClient("a-key", "a-secret", "some-words", base_url=url) as client:
        for key in KEYS:
            try:
                outcomes[key] = outcome(client.spot_place_order(**ORDER, clientOid=key))
            except BitgetApiError as error:
                outcomes[key] = outcome(error)
    assert {key: result for key, result in outcomes.items() if result not in (f"id of {key}", "maybe")} == {}


def test_the_async_client(url: str) -> None:
    """Its HTTP library skips the hint."""

    async def story() -> dict[str, str]:
        async with AsyncBitgetClient("a-key", "a-secret", "some-words", base_url=url) as client:
            return {key: outcome(await client.spot_place_order(**ORDER, clientOid=key)) for key in KEYS}

    assert asyncio.run(story()) == {key: f"id of {key}" for key in KEYS}
