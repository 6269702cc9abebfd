"""Every way in which the sandbox's sockets misbehave, and every limit that they hold a client to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from resilience.sandbox import Sandbox
from resilience.sandbox.sockets.connection import Connection, Shared
from resilience.sandbox.sockets.faults import now_of
from resilience.sandbox.sockets.frames import Act
from resilience.sandbox.sockets.operations import receive

Speak = Callable[..., ClientConnection]
Login = Callable[..., dict[str, Any]]
ORDERS = {"instType": "SPOT", "channel": "orders", "instId": "default"}
TICKER = {"instType": "SPOT", "channel": "ticker", "instId": "BTCUSDT"}
BOOKS = {"instType": "SPOT", "channel": "books", "instId": "BTCUSDT"}
ORDER = {"orderType": "market", "side": "buy", "size": "50", "clientOid": "a"}
TRADE = {"id": "7", "instType": "SPOT", "instId": "BTCUSDT", "channel": "place-order", "params": ORDER}


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


def ask(connection: ClientConnection, op: str, *args: dict[str, Any]) -> dict[str, Any]:
    """Send an operation and return the frame that comes next."""
    connection.send(json.dumps({"op": op, "args": list(args)}))
    return told(connection)


def told(connection: ClientConnection) -> dict[str, Any]:
    """Return the next frame."""
    frame = json.loads(connection.recv(timeout=10))
    assert isinstance(frame, dict)
    return frame


def alive(connection: ClientConnection) -> None:
    """Check that a ping is answered."""
    connection.send("ping")
    assert connection.recv(timeout=10) == "pong"


def ended(connection: ClientConnection) -> int | None:
    """Wait for the end and return the code of the close frame, if one came."""
    for _ in range(1000):
        try:
            connection.recv(timeout=10)
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else None
    raise AssertionError("the connection does not end")


def until(true: Callable[[], object]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def entered(exchange: Sandbox, speak: Speak, login: Login) -> ClientConnection:
    """Return a private connection that is logged in."""
    connection = speak(exchange, "/v2/ws/private")
    assert ask(connection, "login", login(exchange))["event"] == "login"
    return connection


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


def test_a_lost_push(exchange: Sandbox, speak: Speak, login: Login) -> None:
    """One private push is lost and the next one comes; what was lost can be found by REST alone."""
    connection = entered(exchange, speak, login)
    ask(connection, "subscribe", ORDERS)
    exchange.sockets.fault("lose_push")
    ask(connection, "trade", TRADE)
    row = told(connection)["data"][0]
    assert (row["clientOid"], row["status"]) == ("a", "filled")


def test_an_update_before_the_ack(exchange: Sandbox, speak: Speak) -> None:
    """An update may overtake the ack of its subscription."""
    exchange.sockets.script("early_update")
    connection = speak(exchange, "/v2/ws/public")
    assert ask(connection, "subscribe", TICKER)["action"] == "update"
    assert told(connection)["event"] == "subscribe"


@pytest.mark.parametrize(("fault", "executions"), [("trade_lost", 1), ("trade_unseen", 0)])
def test_an_order_in_doubt(fault: str, executions: int, exchange: Sandbox, speak: Speak, login: Login) -> None:
    """The connection ends before the answer, after the order was accepted or before; it looks the same."""
    connection = entered(exchange, speak, login)
    exchange.sockets.fault(fault)
    connection.send(json.dumps({"op": "trade", "args": [TRADE]}))
    assert ended(connection) is None
    assert len(exchange.ledger()["orders"]) == executions


def test_a_refused_order(exchange: Sandbox, speak: Speak, login: Login) -> None:
    """A scripted refusal carries the id of its frame, and nothing is executed."""
    connection = entered(exchange, speak, login)
    exchange.sockets.fault("trade_error:40725")
    frame = ask(connection, "trade", TRADE)
    assert (frame["event"], frame["code"], frame["arg"][0]["id"]) == ("error", 40725, "7")
    assert exchange.ledger() == {"orders": []}
    assert ask(connection, "trade", TRADE)["code"] == 0


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
