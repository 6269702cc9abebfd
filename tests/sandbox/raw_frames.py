"""Sends raw frames to the sandbox's sockets and waits for frames and conditions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from resilience.sandbox import Sandbox

GIVE_UP_SOON = (60, 0.1)
"""The timeouts of a request that is not answered: a minute to connect, a tenth of a second to wait for the answer."""
OpenSocket = Callable[..., ClientConnection]
Login = Callable[..., dict[str, Any]]
ORDERS = {"instType": "SPOT", "channel": "orders", "instId": "default"}
TICKER = {"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}
BOOKS = {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}
V3_ORDER = {"instType": "UTA", "topic": "order"}
V3_TICKER = {"instType": "spot", "topic": "ticker", "symbol": "BTCUSDT"}


def ask(connection: ClientConnection, op: str, *args: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Send an operation and return the next frame."""
    connection.send(json.dumps({"op": op, **more, "args": list(args)}))
    return next_frame(connection)


def next_frame(connection: ClientConnection) -> dict[str, Any]:
    """Return the next frame."""
    frame = json.loads(connection.recv(timeout=60))
    assert isinstance(frame, dict)
    return frame


def close_code(connection: ClientConnection) -> int | None:
    """Wait for the end of the connection and return the code of its close frame, or None without one."""
    for _ in range(1000):
        try:
            connection.recv(timeout=60)
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else None
    raise AssertionError("the connection does not end")


def wait_until(true: Callable[[], object]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def check_alive(connection: ClientConnection) -> None:
    """Check that a ping is answered."""
    connection.send("ping")
    assert connection.recv(timeout=60) == "pong"


def open_logged_in(exchange: Sandbox, open_socket: OpenSocket, login: Login) -> ClientConnection:
    """Return a private connection that is logged in."""
    connection = open_socket(exchange, "/v2/ws/private")
    assert ask(connection, "login", login(exchange))["event"] == "login"
    return connection
