"""The limits and deadlines of the sandbox's sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

from resilience.sandbox import Sandbox
from resilience.sandbox.websocket.client_frames import receive
from resilience.sandbox.websocket.connection import ConnectionEnvironment, SandboxConnection
from resilience.sandbox.websocket.connection_manager import ConnectionManager
from resilience.sandbox.websocket.frames import WireAction
from resilience.sandbox.websocket.socket_faults import parse_open_connection_faults
from tests.sandbox.raw_frames import TICKER, OpenSocket, ask, check_alive, close_code, next_frame


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange whose sockets run in real time."""
    with Sandbox() as running:
        yield running


def shared_state(exchange: Sandbox) -> ConnectionEnvironment:
    """Return what the connections of an exchange share."""
    return ConnectionEnvironment(exchange.exchange, exchange.clock, exchange.authenticator)


def public_connection(exchange: Sandbox) -> SandboxConnection:
    """Return a connection without a transport, opened at sandbox time 0."""
    return SandboxConnection(1, "/v2/ws/public", shared_state(exchange), 0.0)


@pytest.fixture
def fast() -> Iterator[Sandbox]:
    """An exchange whose sockets run a minute in a second."""
    with Sandbox(pace=60) as running:
        yield running


def test_a_connection_that_never_pings(fast: Sandbox, open_socket: OpenSocket) -> None:
    """Two minutes without a text ping end a connection; WebSocket pings do not count."""
    connection = open_socket(fast, "/v2/ws/public")
    connection.ping()
    assert close_code(connection) == 4001


def test_pings_keep_a_connection_for_a_day(exchange: Sandbox) -> None:
    """A text ping keeps a connection for two minutes more, until the day is over."""
    connection = public_connection(exchange)
    for minute in range(1440):
        assert connection.tick(minute * 60.0) == []
        assert connection.admit("ping", minute * 60.0) == [WireAction("text", "pong")]
    assert connection.tick(86_399.0) == []
    assert connection.tick(86_400.0) == [WireAction("close", code=1001)]


def test_the_forced_disconnect(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """The daily disconnect can be applied at once."""
    connection = open_socket(exchange, "/v2/ws/public")
    check_alive(connection)
    exchange.sockets.fault("expire")
    assert close_code(connection) == 1001


def test_an_announced_upgrade(open_socket: OpenSocket) -> None:
    """The notice comes a minute before the end."""
    with Sandbox(pace=1000) as exchange:
        exchange.sockets.script("upgrade")
        connection = open_socket(exchange, "/v2/ws/public")
        assert next_frame(connection)["code"] == 30033
        assert close_code(connection) == 1001
        quiet = public_connection(exchange)
        quiet.apply_faults(parse_open_connection_faults("upgrade"), 10.0)
        assert (quiet.tick(69.9), quiet.tick(70.0)) == ([], [WireAction("close", code=1001)])


def test_too_many_frames(open_socket: OpenSocket) -> None:
    """The eleventh frame of a second ends the connection and is recorded."""
    with Sandbox(pace=0.01) as exchange:
        connection = open_socket(exchange, "/v2/ws/public")
        for _ in range(11):
            connection.send("ping")
        assert [connection.recv(timeout=60) for _ in range(10)] == ["pong"] * 10
        assert next_frame(connection)["code"] == 30007
        assert close_code(connection) == 1008
        assert exchange.sockets.violations == ["connection 1 /v2/ws/public: more than 10 frames in a second"]


def test_a_message_too_long(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A message of more than 4,096 bytes is refused and recorded."""
    connection = open_socket(exchange, "/v2/ws/public")
    assert ask(connection, "subscribe", *[TICKER] * 80)["code"] == 30002
    assert "a message of" in exchange.sockets.violations[0]


def test_too_many_subscribe_requests(exchange: Sandbox) -> None:
    """More than 240 subscribe requests in an hour are refused; an hour later they are accepted."""
    connection = public_connection(exchange)
    text = json.dumps({"op": "subscribe", "args": [{**TICKER, "instId": "NOPE"}]})
    codes = [json.loads(receive(connection, text, float(second))[0].text)["code"] for second in range(241)]
    assert codes == [30001] * 240 + [30006]
    assert connection.shared.violations == ["connection 1 /v2/ws/public: more than 240 subscribe requests in an hour"]
    assert json.loads(receive(connection, text, 4000.0)[0].text)["code"] == 30001


@pytest.mark.slow
def test_too_many_connects(open_socket: OpenSocket) -> None:
    """More than 300 handshakes in 5 min are refused with 429."""
    with Sandbox() as exchange:
        exchange.sockets.script(*["refuse"] * 300)
        for _ in range(300):
            with pytest.raises(InvalidStatus, match="503"):
                open_socket(exchange, "/v2/ws/public")
        with pytest.raises(InvalidStatus, match="429"):
            open_socket(exchange, "/v2/ws/public")
        assert exchange.sockets.violations == ["more than 300 handshakes in 300 s"]


def test_too_many_open_connections(exchange: Sandbox) -> None:
    """The hundred-and-first connection at the same time is refused, until one of the others has ended."""
    manager = ConnectionManager(shared_state(exchange))
    opened = [manager.open_connection("/v2/ws/public", False, lambda actions: None) for _ in range(100)]
    assert manager.handshake("/v2/ws/public").status == 429
    assert manager.shared.violations == ["more than 100 open"]
    manager.close_connection(opened[7])
    assert manager.handshake("/v2/ws/public").status == 101


def test_too_many_subscriptions(exchange: Sandbox) -> None:
    """A connection has at most a thousand subscriptions."""
    connection = public_connection(exchange)
    connection.subscriptions = [{"of": str(number)} for number in range(1000)]
    text = json.dumps({"op": "subscribe", "args": [TICKER]})
    assert json.loads(receive(connection, text, 0.0)[0].text)["code"] == 30006
    assert connection.shared.violations == ["connection 1 /v2/ws/public: more than 1000 subscriptions"]


def test_a_duplicate_subscription(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A second subscription to the same arg is acknowledged and recorded; each update is sent once."""
    connection = open_socket(exchange, "/v2/ws/public")
    for _ in range(2):
        assert ask(connection, "subscribe", TICKER)["event"] == "subscribe"
    assert exchange.sockets.connections[0].subscriptions == [TICKER, TICKER]
    assert "subscribed twice" in exchange.sockets.violations[0]
    assert exchange.sockets.push(TICKER, [1]) == 1
    assert next_frame(connection)["data"] == [1]
    check_alive(connection)


def test_no_limits(open_socket: OpenSocket) -> None:
    """Without limits a client may send as fast as it likes."""
    with Sandbox(limits=False) as exchange:
        connection = open_socket(exchange, "/v2/ws/public")
        for _ in range(30):
            check_alive(connection)
        assert exchange.sockets.violations == []
