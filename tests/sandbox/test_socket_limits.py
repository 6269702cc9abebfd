"""The limits and the deadlines that the sandbox's sockets hold a client to."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

from resilience.sandbox import Sandbox
from resilience.sandbox.websocket.client_frames import receive
from resilience.sandbox.websocket.connection import Connection, Shared
from resilience.sandbox.websocket.connections import Venue
from resilience.sandbox.websocket.frames import Act
from resilience.sandbox.websocket.socket_faults import now_of
from tests.sandbox.speaking import TICKER, Speak, alive, ask, ended, told


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange whose sockets live at the usual pace."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def fast() -> Iterator[Sandbox]:
    """An exchange whose sockets live two minutes in a tenth of a second."""
    with Sandbox(pace=1200) as running:
        yield running


def test_a_connection_that_never_pings(fast: Sandbox, speak: Speak) -> None:
    """Two minutes without a text ping end a connection; native pings do not count."""
    connection = speak(fast, "/v2/ws/public")
    connection.ping()
    assert ended(connection) == 4001


def test_pings_keep_a_connection_for_a_day(exchange: Sandbox) -> None:
    """A text ping keeps a connection for two minutes more, until the day is over."""
    connection = Connection(1, "/v2/ws/public", Shared(exchange), 0.0)
    for minute in range(1440):
        assert connection.tick(minute * 60.0) == []
        assert connection.admit("ping", minute * 60.0) == [Act("say", "pong")]
    assert connection.tick(86_399.0) == []
    assert connection.tick(86_400.0) == [Act("close", code=1001)]


def test_the_forced_disconnect(exchange: Sandbox, speak: Speak) -> None:
    """The end of the day can be had at once."""
    connection = speak(exchange, "/v2/ws/public")
    alive(connection)
    exchange.sockets.fault("expire")
    assert ended(connection) == 1001


def test_an_announced_upgrade(speak: Speak) -> None:
    """The notice comes a minute before the end."""
    with Sandbox(pace=1000) as exchange:
        exchange.sockets.script("upgrade")
        connection = speak(exchange, "/v2/ws/public")
        assert told(connection)["code"] == 30033
        assert ended(connection) == 1001
        quiet = Connection(2, "/v2/ws/public", Shared(exchange), 0.0)
        quiet.meet(now_of("upgrade"), 10.0)
        assert (quiet.tick(69.9), quiet.tick(70.0)) == ([], [Act("close", code=1001)])


def test_too_many_frames(speak: Speak) -> None:
    """The eleventh frame of a second ends the connection, and is remembered."""
    with Sandbox(pace=0.01) as exchange:
        connection = speak(exchange, "/v2/ws/public")
        for _ in range(11):
            connection.send("ping")
        assert [connection.recv(timeout=10) for _ in range(10)] == ["pong"] * 10
        assert told(connection)["code"] == 30007
        assert ended(connection) == 1008
        assert exchange.sockets.violations == ["connection 1 /v2/ws/public: more than 10 frames in a second"]


def test_a_message_too_long(exchange: Sandbox, speak: Speak) -> None:
    """A message of more than 4,096 bytes is refused and remembered."""
    connection = speak(exchange, "/v2/ws/public")
    assert ask(connection, "subscribe", *[TICKER] * 80)["code"] == 30002
    assert "a message of" in exchange.sockets.violations[0]


def test_too_many_subscribe_requests(exchange: Sandbox) -> None:
    """Beyond 240 requests in an hour a connection's subscribing is refused; an hour later it is not."""
    connection = Connection(1, "/v2/ws/public", Shared(exchange), 0.0)
    text = json.dumps({"op": "subscribe", "args": [{**TICKER, "instId": "NOPE"}]})
    codes = [json.loads(receive(connection, text, float(second))[0].text)["code"] for second in range(241)]
    assert codes == [30001] * 240 + [30006]
    assert connection.shared.violations == ["connection 1 /v2/ws/public: more than 240 subscribe requests in an hour"]
    assert json.loads(receive(connection, text, 4000.0)[0].text)["code"] == 30001


def test_too_many_connects(speak: Speak) -> None:
    """Beyond 300 handshakes in 5 min there is a 429."""
    with Sandbox() as exchange:
        exchange.sockets.script(*["refuse"] * 300)
        for _ in range(300):
            with pytest.raises(InvalidStatus, match="503"):
                speak(exchange, "/v2/ws/public")
        with pytest.raises(InvalidStatus, match="429"):
            speak(exchange, "/v2/ws/public")
        assert exchange.sockets.violations == ["more than 300 handshakes in 300 s"]


def test_too_many_open_connections(exchange: Sandbox) -> None:
    """The hundred-and-first connection at the same time is refused, until one of the others has ended."""
    venue = Venue(exchange, 1.0, limited=True)
    opened = [venue.begin("/v2/ws/public", False, lambda acts: None) for _ in range(100)]
    assert venue.enter("/v2/ws/public").status == 429
    assert venue.shared.violations == ["more than 100 open"]
    venue.end(opened[7])
    assert venue.enter("/v2/ws/public").status == 101


def test_too_many_subscriptions(exchange: Sandbox) -> None:
    """Beyond a thousand subscriptions a connection gets no more."""
    connection = Connection(1, "/v2/ws/public", Shared(exchange), 0.0)
    connection.subscriptions = [{"of": str(number)} for number in range(1000)]
    text = json.dumps({"op": "subscribe", "args": [TICKER]})
    assert json.loads(receive(connection, text, 0.0)[0].text)["code"] == 30006
    assert connection.shared.violations == ["connection 1 /v2/ws/public: more than 1000 subscriptions"]


def test_a_duplicate_subscription(exchange: Sandbox, speak: Speak) -> None:
    """A second subscription to the same arg is kept, acknowledged and remembered; its updates come once."""
    connection = speak(exchange, "/v2/ws/public")
    for _ in range(2):
        assert ask(connection, "subscribe", TICKER)["event"] == "subscribe"
    assert exchange.sockets.connections[0].subscriptions == [TICKER, TICKER]
    assert "subscribed twice" in exchange.sockets.violations[0]
    assert exchange.sockets.push(TICKER, [1]) == 1
    assert told(connection)["data"] == [1]
    alive(connection)


def test_no_limits(speak: Speak) -> None:
    """Without limits a client may talk as fast as it likes."""
    with Sandbox(limits=False) as exchange:
        connection = speak(exchange, "/v2/ws/public")
        for _ in range(30):
            alive(connection)
        assert exchange.sockets.violations == []
