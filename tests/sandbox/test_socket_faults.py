"""Every way in which the sandbox's sockets misbehave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from resilience.sandbox import Sandbox
from tests.sandbox.speaking import ORDERS, TICKER, Login, Speak, alive, ask, ended, told, until


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange whose sockets live at the usual pace."""
    with Sandbox() as running:
        yield running


def test_a_refused_handshake(exchange: Sandbox, speak: Speak) -> None:
    """The first handshake of the script gets a 503, the next is ordinary; a path that is none gets a 404."""
    exchange.sockets.script("refuse")
    with pytest.raises(InvalidStatus, match="503"):
        speak(exchange, "/v2/ws/public")
    alive(speak(exchange, "/v2/ws/public"))
    with pytest.raises(InvalidStatus, match="404"):
        speak(exchange, "/v9/ws/public")
    assert (exchange.sockets.connects, len(exchange.sockets.connections)) == (3, 1)


@pytest.mark.parametrize(
    ("fault", "code"),
    [("drop", None), ("close:1012", 1012), ("close:1000", 1000), ("close:1006", None), ("close:1005", 1005)],
)
def test_the_ways_to_end(fault: str, code: int | None, exchange: Sandbox, speak: Speak) -> None:
    """A reset and an end without a close frame have no code; a close frame has its own, at once or by script."""
    connection = speak(exchange, "/v2/ws/public")
    alive(connection)
    assert exchange.sockets.fault(fault) == 1
    assert ended(connection) == code
    until(lambda: not exchange.sockets.connections[0].open)
    exchange.sockets.script(fault)
    assert ended(speak(exchange, "/v2/ws/public")) == code


def test_a_script_of_one_path(exchange: Sandbox, speak: Speak) -> None:
    """A script may count the connections of one path alone; others take what is for any."""
    exchange.sockets.script("close:1000", path="/v2/ws/private")
    exchange.sockets.script("close:1012")
    assert ended(speak(exchange, "/v2/ws/public")) == 1012
    assert ended(speak(exchange, "/v2/ws/private")) == 1000


def test_faults_of_one_connection(exchange: Sandbox, speak: Speak) -> None:
    """A fault may be kept to one connection."""
    first, second = speak(exchange, "/v2/ws/public"), speak(exchange, "/v2/ws/public")
    assert exchange.sockets.fault("close:1012", number=2) == 1
    assert ended(second) == 1012
    alive(first)


def test_faults_of_one_path(exchange: Sandbox, speak: Speak) -> None:
    """A fault may be kept to the connections of one path."""
    public, private = speak(exchange, "/v2/ws/public"), speak(exchange, "/v2/ws/private")
    assert exchange.sockets.fault("close:1012", path="/v2/ws/private") == 1
    assert ended(private) == 1012
    alive(public)


@pytest.mark.parametrize("ending", ["", ":close"])
def test_a_login_is_rejected_once(ending: str, exchange: Sandbox, speak: Speak, login: Login) -> None:
    """A scripted rejection meets one login; the connection stays open unless the script says otherwise."""
    exchange.sockets.script(f"reject_login:30005{ending}")
    connection = speak(exchange, "/v2/ws/private")
    assert ask(connection, "login", login(exchange))["code"] == 30005
    if ending:
        assert ended(connection) == 1008
    else:
        assert ask(connection, "login", login(exchange))["event"] == "login"


@pytest.mark.parametrize(
    ("fault", "path", "code"), [("ack_text", "/v3/ws/private", "0"), ("ack_number", "/v2/ws/private", 0)]
)
def test_both_spellings_of_the_ack(
    fault: str, path: str, code: Any, exchange: Sandbox, speak: Speak, login: Login
) -> None:
    """The ack of a login is a text or a number, as the script says."""
    exchange.sockets.script(fault)
    frame = ask(speak(exchange, path), "login", login(exchange))
    assert (frame["event"], frame["code"]) == ("login", code)


@pytest.mark.parametrize(("fault", "fields"), [("30001", {"arg", "op"}), ("30016:bare", set()), ("30001:text", None)])
def test_a_refused_subscription(fault: str, fields: set[str] | None, exchange: Sandbox, speak: Speak) -> None:
    """A refusal names the arg and the operation, or not, as older frames did; a code may be a text."""
    exchange.sockets.script(f"reject_subscribe:{fault}")
    connection = speak(exchange, "/v2/ws/public")
    frame = ask(connection, "subscribe", TICKER)
    assert (frame["event"], str(frame["code"])) == ("error", fault[:5])
    if fields is None:
        assert isinstance(frame["code"], str)
    else:
        assert set(frame) == {"event", "code", "msg", *fields}
    assert ask(connection, "subscribe", TICKER)["event"] == "subscribe"
    assert exchange.sockets.violations == []


def test_errors_out_of_the_blue(exchange: Sandbox, speak: Speak) -> None:
    """An error frame comes unasked, alone or followed by the end."""
    connection = speak(exchange, "/v2/ws/public")
    alive(connection)
    exchange.sockets.fault("error:30006")
    assert told(connection)["code"] == 30006
    alive(connection)
    exchange.sockets.fault("error:30007:close")
    assert told(connection)["code"] == 30007
    assert ended(connection) == 1008


def test_frames_that_are_no_json(exchange: Sandbox, speak: Speak) -> None:
    """Broken JSON and binary frames come without ending anything."""
    connection = speak(exchange, "/v2/ws/public")
    alive(connection)
    exchange.sockets.fault("malformed")
    with pytest.raises(ValueError, match="Unterminated"):
        told(connection)
    exchange.sockets.fault("binary")
    assert isinstance(connection.recv(timeout=10), bytes)
    alive(connection)


def test_half_open(exchange: Sandbox, speak: Speak) -> None:
    """A half-open connection says nothing, answers nothing, and sends no FIN; to the exchange it is open."""
    exchange.sockets.script("", "half_open")
    good, dead = speak(exchange, "/v2/ws/public"), speak(exchange, "/v2/ws/public")
    ask(good, "subscribe", TICKER)
    for text in ("ping", json.dumps({"op": "subscribe", "args": [TICKER]})):
        dead.send(text)
    assert not dead.ping().wait(0.05)
    for _ in range(3):
        exchange.sockets.push(TICKER, [])
        told(good)
    with pytest.raises(TimeoutError):
        dead.recv(timeout=0.05)
    assert exchange.sockets.connections[1].open


def test_half_open_before_an_answer(exchange: Sandbox, speak: Speak) -> None:
    """What was sent before the silence is read, and never answered."""
    exchange.sockets.script("half_open@subscribe")
    connection = speak(exchange, "/v2/ws/public")
    connection.send(json.dumps({"op": "subscribe", "args": [TICKER]}))
    until(lambda: any(one.frames for one in exchange.sockets.connections))
    assert exchange.sockets.connections[0].subscriptions == []
    assert exchange.sockets.push(TICKER, []) == 0


def test_a_quiet_market(exchange: Sandbox, speak: Speak) -> None:
    """A muted connection answers its pings and is told nothing."""
    connection = speak(exchange, "/v2/ws/public")
    ask(connection, "subscribe", TICKER)
    exchange.sockets.fault("mute")
    assert exchange.sockets.push(TICKER, []) == 1
    alive(connection)


def test_pings_without_an_answer(exchange: Sandbox, speak: Speak) -> None:
    """Pings stay unanswered, native ones too, while updates come."""
    connection = speak(exchange, "/v2/ws/public")
    ask(connection, "subscribe", TICKER)
    exchange.sockets.fault("no_pong")
    connection.send("ping")
    pong = connection.ping()
    exchange.sockets.push(TICKER, [1])
    assert told(connection)["data"] == [1]
    assert not pong.wait(0.05)


def test_an_update_before_the_ack(exchange: Sandbox, speak: Speak) -> None:
    """An update may overtake the ack of its subscription."""
    exchange.sockets.script("early_update")
    connection = speak(exchange, "/v2/ws/public")
    assert ask(connection, "subscribe", TICKER)["action"] == "update"
    assert told(connection)["event"] == "subscribe"


@pytest.mark.parametrize("stage", ["login", "subscribe"])
def test_faults_of_a_later_stage(stage: str, exchange: Sandbox, speak: Speak, login: Login) -> None:
    """A fault may wait until a frame has come and is not answered yet; several may meet one connection."""
    exchange.sockets.script(f"ack_number+drop@{stage}")
    connection = speak(exchange, "/v2/ws/private")
    connection.send(json.dumps({"op": "login", "args": [login(exchange)]}))
    if stage == "subscribe":
        assert told(connection)["code"] == 0
        connection.send(json.dumps({"op": "subscribe", "args": [ORDERS]}))
    assert ended(connection) is None
    assert exchange.sockets.connections[0].logged_in == (stage == "subscribe")
