"""Every fault of the sandbox's sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from resilience.sandbox import Sandbox
from tests.sandbox.raw_frames import (
    ORDERS,
    TICKER,
    Login,
    OpenSocket,
    ask,
    check_alive,
    close_code,
    next_frame,
    wait_until,
)


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange whose sockets run in real time."""
    with Sandbox() as running:
        yield running


def test_a_refused_handshake(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A scripted handshake is refused with 503, the next one succeeds; an unknown path is refused with 404."""
    exchange.sockets.script("refuse")
    with pytest.raises(InvalidStatus, match="503"):
        open_socket(exchange, "/v2/ws/public")
    check_alive(open_socket(exchange, "/v2/ws/public"))
    with pytest.raises(InvalidStatus, match="404"):
        open_socket(exchange, "/v9/ws/public")
    assert (exchange.sockets.connects, len(exchange.sockets.connections)) == (3, 1)


@pytest.mark.parametrize(
    ("fault", "code"),
    [("drop", None), ("close:1012", 1012), ("close:1000", 1000), ("close:1006", None), ("close:1005", 1005)],
)
def test_the_ways_to_end(fault: str, code: int | None, exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A reset and an end without a close frame have no code; a close frame has one, by fault and by script."""
    connection = open_socket(exchange, "/v2/ws/public")
    check_alive(connection)
    assert exchange.sockets.fault(fault) == 1
    assert close_code(connection) == code
    wait_until(lambda: not exchange.sockets.connections[0].open)
    exchange.sockets.script(fault)
    assert close_code(open_socket(exchange, "/v2/ws/public")) == code


def test_a_script_of_one_path(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A script may be for one path; connections of other paths take the entries for any path."""
    exchange.sockets.script("close:1000", path="/v2/ws/private")
    exchange.sockets.script("close:1012")
    assert close_code(open_socket(exchange, "/v2/ws/public")) == 1012
    assert close_code(open_socket(exchange, "/v2/ws/private")) == 1000


def test_faults_of_one_connection(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A fault may be applied to one connection."""
    first, second = open_socket(exchange, "/v2/ws/public"), open_socket(exchange, "/v2/ws/public")
    assert exchange.sockets.fault("close:1012", number=2) == 1
    assert close_code(second) == 1012
    check_alive(first)


def test_faults_of_one_path(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A fault may be applied to the connections of one path."""
    public, private = open_socket(exchange, "/v2/ws/public"), open_socket(exchange, "/v2/ws/private")
    assert exchange.sockets.fault("close:1012", path="/v2/ws/private") == 1
    assert close_code(private) == 1012
    check_alive(public)


@pytest.mark.parametrize("ending", ["", ":close"])
def test_a_login_is_rejected_once(ending: str, exchange: Sandbox, open_socket: OpenSocket, login: Login) -> None:
    """A scripted rejection applies to one login; the connection stays open unless the script closes it."""
    exchange.sockets.script(f"reject_login:30005{ending}")
    connection = open_socket(exchange, "/v2/ws/private")
    assert ask(connection, "login", login(exchange))["code"] == 30005
    if ending:
        assert close_code(connection) == 1008
    else:
        assert ask(connection, "login", login(exchange))["event"] == "login"


@pytest.mark.parametrize(
    ("fault", "path", "code"), [("ack_text", "/v3/ws/private", "0"), ("ack_number", "/v2/ws/private", 0)]
)
def test_both_spellings_of_the_ack(
    fault: str, path: str, code: Any, exchange: Sandbox, open_socket: OpenSocket, login: Login
) -> None:
    """The code in the ack of a login is a string or a number, as scripted."""
    exchange.sockets.script(fault)
    frame = ask(open_socket(exchange, path), "login", login(exchange))
    assert (frame["event"], frame["code"]) == ("login", code)


@pytest.mark.parametrize(("fault", "fields"), [("30001", {"arg", "op"}), ("30016:bare", set()), ("30001:text", None)])
def test_a_refused_subscription(
    fault: str, fields: set[str] | None, exchange: Sandbox, open_socket: OpenSocket
) -> None:
    """A refusal names the arg and the operation, or neither, as older frames do; its code may be a string."""
    exchange.sockets.script(f"reject_subscribe:{fault}")
    connection = open_socket(exchange, "/v2/ws/public")
    frame = ask(connection, "subscribe", TICKER)
    assert (frame["event"], str(frame["code"])) == ("error", fault[:5])
    if fields is None:
        assert isinstance(frame["code"], str)
    else:
        assert set(frame) == {"event", "code", "msg", *fields}
    assert ask(connection, "subscribe", TICKER)["event"] == "subscribe"
    assert exchange.sockets.violations == []


def test_errors_out_of_the_blue(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """An error frame may come at any time, alone or before the end of the connection."""
    connection = open_socket(exchange, "/v2/ws/public")
    check_alive(connection)
    exchange.sockets.fault("error:30006")
    assert next_frame(connection)["code"] == 30006
    check_alive(connection)
    exchange.sockets.fault("error:30007:close")
    assert next_frame(connection)["code"] == 30007
    assert close_code(connection) == 1008


def test_frames_that_are_no_json(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """Broken JSON and binary frames do not end the connection."""
    connection = open_socket(exchange, "/v2/ws/public")
    check_alive(connection)
    exchange.sockets.fault("malformed")
    with pytest.raises(ValueError, match="Unterminated"):
        next_frame(connection)
    exchange.sockets.fault("binary")
    assert isinstance(connection.recv(timeout=60), bytes)
    check_alive(connection)


def test_half_open(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A half-open connection sends nothing, not even FIN; for the exchange it is open."""
    exchange.sockets.script("", "half_open")
    good, dead = open_socket(exchange, "/v2/ws/public"), open_socket(exchange, "/v2/ws/public")
    ask(good, "subscribe", TICKER)
    for text in ("ping", json.dumps({"op": "subscribe", "args": [TICKER]})):
        dead.send(text)
    assert not dead.ping().wait(0.05)
    for _ in range(3):
        exchange.sockets.push(TICKER, [])
        next_frame(good)
    with pytest.raises(TimeoutError):
        dead.recv(timeout=0.05)
    assert exchange.sockets.connections[1].open


def test_half_open_before_an_answer(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """Frames that arrive in the silence are read and never answered."""
    exchange.sockets.script("half_open@subscribe")
    connection = open_socket(exchange, "/v2/ws/public")
    connection.send(json.dumps({"op": "subscribe", "args": [TICKER]}))
    wait_until(lambda: any(one.frames for one in exchange.sockets.connections))
    assert exchange.sockets.connections[0].subscriptions == []
    assert exchange.sockets.push(TICKER, []) == 0


def test_a_quiet_market(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A muted connection answers pings and gets no updates."""
    connection = open_socket(exchange, "/v2/ws/public")
    ask(connection, "subscribe", TICKER)
    exchange.sockets.fault("mute")
    assert exchange.sockets.push(TICKER, []) == 1
    check_alive(connection)


def test_pings_without_an_answer(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """Pings stay unanswered, WebSocket pings too, while updates arrive."""
    connection = open_socket(exchange, "/v2/ws/public")
    ask(connection, "subscribe", TICKER)
    exchange.sockets.fault("no_pong")
    connection.send("ping")
    pong = connection.ping()
    exchange.sockets.push(TICKER, [1])
    assert next_frame(connection)["data"] == [1]
    assert not pong.wait(0.05)


def test_an_update_before_the_ack(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """An update may arrive before the ack of its subscription."""
    exchange.sockets.script("early_update")
    connection = open_socket(exchange, "/v2/ws/public")
    assert ask(connection, "subscribe", TICKER)["action"] == "update"
    assert next_frame(connection)["event"] == "subscribe"


@pytest.mark.parametrize("stage", ["login", "subscribe"])
def test_faults_of_a_later_stage(stage: str, exchange: Sandbox, open_socket: OpenSocket, login: Login) -> None:
    """A fault may wait until a frame has arrived and replace its answer; a connection may have several faults."""
    exchange.sockets.script(f"ack_number+drop@{stage}")
    connection = open_socket(exchange, "/v2/ws/private")
    connection.send(json.dumps({"op": "login", "args": [login(exchange)]}))
    if stage == "subscribe":
        assert next_frame(connection)["code"] == 0
        connection.send(json.dumps({"op": "subscribe", "args": [ORDERS]}))
    assert close_code(connection) is None
    assert exchange.sockets.connections[0].logged_in == (stage == "subscribe")
