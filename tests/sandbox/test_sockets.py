"""The sandbox's WebSocket in raw frames: its answers, its updates and its controls."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from websockets.exceptions import InvalidStatus

from resilience.sandbox import Sandbox
from tests.sandbox.raw_frames import (
    BOOKS,
    ORDERS,
    TICKER,
    V3_ORDER,
    V3_TICKER,
    Login,
    OpenSocket,
    ask,
    close_code,
    next_frame,
    wait_until,
)


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange whose sockets run in real time."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def fast() -> Iterator[Sandbox]:
    """An exchange whose sockets run a minute in three seconds."""
    with Sandbox(pace=20) as running:
        yield running


@pytest.mark.parametrize(("path", "code"), [("/v2/ws/private", "0"), ("/v3/ws/private", 0)])
def test_login(path: str, code: Any, exchange: Sandbox, open_socket: OpenSocket, login: Login) -> None:
    """A valid login is acknowledged, in V2 with a string and in V3 with a number; the timestamp may be a number."""
    connection = open_socket(exchange, path)
    frame = ask(connection, "login", login(exchange, number=path.startswith("/v3")))
    assert (frame["event"], frame["code"]) == ("login", code)
    assert exchange.sockets.connections[0].logged_in


def test_login_in_milliseconds(exchange: Sandbox, open_socket: OpenSocket, login: Login) -> None:
    """A timestamp in milliseconds is accepted too, as at the real exchange."""
    assert ask(open_socket(exchange, "/v2/ws/private"), "login", login(exchange, ms=True))["event"] == "login"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"apiKey": "other"}, 30011),
        ({"apiKey": "clé"}, 30011),
        ({"apiKey": ""}, 40001),
        ({"sign": ""}, 40003),
        ({"passphrase": "wrong"}, 30012),
        ({"timestamp": "soon"}, 30013),
        ({"ahead": -60}, 30014),
        ({"ahead": 60}, 30014),
        ({"sign": "x"}, 30015),
    ],
)
def test_a_refused_login(
    change: dict[str, Any], code: int, exchange: Sandbox, open_socket: OpenSocket, login: Login
) -> None:
    """Each mistake has its code, and the connection stays open for another try."""
    connection = open_socket(exchange, "/v2/ws/private")
    frame = ask(connection, "login", login(exchange, **change))
    assert (frame["event"], frame["code"]) == ("error", code)
    assert ask(connection, "login", login(exchange))["event"] == "login"


def test_the_clock_of_the_exchange(exchange: Sandbox, open_socket: OpenSocket, login: Login) -> None:
    """The timestamp of a login is compared with the exchange's own clock."""
    exchange.clock_offset = 100
    connection = open_socket(exchange, "/v2/ws/private")
    assert ask(connection, "login", login(exchange))["code"] == 30014
    assert ask(connection, "login", login(exchange, ahead=100))["event"] == "login"


@pytest.mark.parametrize("demo", [False, True])
def test_demo_and_live_keys(demo: bool, open_socket: OpenSocket, login: Login) -> None:
    """A demo key works in the demo environment only, a live key outside it only."""
    with Sandbox(demo=demo) as exchange:
        wrong = open_socket(exchange, "/v2/ws/private", additional_headers={} if demo else {"paptrading": "1"})
        assert ask(wrong, "login", login(exchange))["code"] == 40099
        right = open_socket(exchange, "/v2/ws/private", additional_headers={"paptrading": "1"} if demo else {})
        assert ask(right, "login", login(exchange))["event"] == "login"


def test_a_login_on_the_public_path(exchange: Sandbox, open_socket: OpenSocket, login: Login) -> None:
    """A login on the public path is refused."""
    assert ask(open_socket(exchange, "/v2/ws/public"), "login", login(exchange))["code"] == 30003


@pytest.mark.parametrize(("path", "arg"), [("/v2/ws/public", TICKER), ("/v3/ws/public", V3_TICKER)])
def test_subscribe(path: str, arg: dict[str, Any], exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A subscription is acknowledged, gets updates, and ends with an unsubscribe."""
    connection = open_socket(exchange, path)
    frame = ask(connection, "subscribe", arg)
    assert (frame["event"], frame["arg"], "connId" in frame) == ("subscribe", arg, "v3" in path)
    assert exchange.sockets.push(arg, [{"lastPr": "1"}], checksum=7) == 1
    update = next_frame(connection)
    assert (update["action"], update["arg"], update["data"]) == ("update", arg, [{"lastPr": "1"}])
    assert update["checksum"] == 7
    assert ask(connection, "unsubscribe", arg)["event"] == "unsubscribe"
    assert exchange.sockets.push(arg, []) == 0


def test_several_subscriptions_in_one_frame(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """Each arg has its own answer; an unknown one is refused and the others are accepted."""
    connection = open_socket(exchange, "/v2/ws/public")
    nowhere = {**TICKER, "instId": "NOPE"}
    first = ask(connection, "subscribe", TICKER, nowhere, {**TICKER, "instId": "ETHUSDT"})
    frames = [first, next_frame(connection), next_frame(connection)]
    assert [frame["event"] for frame in frames] == ["subscribe", "error", "subscribe"]
    assert (frames[1]["code"], frames[1]["arg"], frames[1]["op"]) == (30001, nowhere, "subscribe")
    assert "instId:NOPE doesn't exist" in frames[1]["msg"]


@pytest.mark.parametrize("arg", [ORDERS, V3_ORDER])
def test_subscribe_before_the_login(arg: dict[str, Any], exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A private channel needs a login first; a subscription before it is recorded."""
    connection = open_socket(exchange, "/v3/ws/private" if "topic" in arg else "/v2/ws/private")
    assert ask(connection, "subscribe", arg)["code"] == 30004
    assert "before the login" in exchange.sockets.violations[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"op":"ping"}', 30002),
        ("{", 30002),
        ("[]", 30002),
        ('{"op":"dance"}', 30003),
        ('{"op":"subscribe"}', 30016),
        ('{"op":"subscribe","args":[5]}', 30016),
        ('{"op":"subscribe","args":[{"channel":"ticker","instType":"SPOT","instId":[]}]}', 30001),
        ('{"op":"unsubscribe"}', 30016),
        ('{"op":"trade"}', 30004),
        ('{"op":"login"}', 30016),
    ],
)
def test_frames_that_mean_nothing(text: str, code: int, exchange: Sandbox, open_socket: OpenSocket) -> None:
    """A JSON ping is not a ping, and an unreadable frame has its code; the connection stays open."""
    connection = open_socket(exchange, "/v2/ws/private" if "login" in text else "/v2/ws/public")
    connection.send(text)
    assert next_frame(connection)["code"] == code
    connection.send("ping")
    assert connection.recv(timeout=60) == "pong"


def test_a_feed_has_no_gap(fast: Sandbox, open_socket: OpenSocket) -> None:
    """Updates are numbered with or without subscribers, and the numbers continue after a stop."""
    fast.sockets.feed(TICKER, every=0.2)
    wait_until(lambda: fast.sockets.last(TICKER) >= 2)
    connection = open_socket(fast, "/v2/ws/public")
    ask(connection, "subscribe", TICKER)
    seen = [next_frame(connection) for _ in range(5)]
    numbers = [frame["data"][0]["seq"] for frame in seen]
    assert numbers == list(range(numbers[0], numbers[0] + 5))
    assert numbers[0] > 2
    assert {frame["action"] for frame in seen} == {"snapshot"}
    fast.sockets.stop_feed(TICKER)
    last = fast.sockets.last(TICKER)
    fast.sockets.feed(TICKER, every=0.2)
    wait_until(lambda: fast.sockets.last(TICKER) > last)


def test_an_order_book(fast: Sandbox, open_socket: OpenSocket) -> None:
    """A snapshot comes first, then changes with the checksum of the whole book; a skipped update leaves a wrong one."""
    fast.sockets.feed(BOOKS, every=0.2)
    connection = open_socket(fast, "/v2/ws/public")
    ask(connection, "subscribe", BOOKS)
    frames = [next_frame(connection) for _ in range(60)]
    assert [frame["action"] for frame in frames] == ["snapshot", *["update"] * 59]
    sides: dict[str, dict[str, str]] = {"bids": {}, "asks": {}}
    for frame in frames:
        (row,) = frame["data"]
        assert set(row) == {"asks", "bids", "checksum", "seq", "ts"}
        assert checksum_after(sides, row) == row["checksum"]
    assert {len(side) >= 25 for side in sides.values()} == {True}
    assert fast.sockets.fault("skip_seq") == 1
    seq = frames[-1]["data"][0]["seq"]
    while (row := next_frame(connection)["data"][0])["seq"] == seq + 1:
        checksum_after(sides, row)
        seq += 1
    assert checksum_after(sides, row) != row["checksum"]


def checksum_after(sides: dict[str, dict[str, str]], row: dict[str, Any]) -> int:
    """Change a book and return its checksum as a signed number."""
    for name, side in sides.items():
        for price, size in row[name]:
            side[price] = size
            if float(size) == 0:
                del side[price]
    bids = sorted(sides["bids"].items(), key=lambda level: -float(level[0]))[:25]
    asks = sorted(sides["asks"].items(), key=lambda level: float(level[0]))[:25]
    words = [f"{price}:{size}" for pair in zip(bids, asks, strict=True) for price, size in pair]
    return int.from_bytes(zlib.crc32(":".join(words).encode()).to_bytes(4, "big"), "big", signed=True)


def test_an_order_book_of_v3(fast: Sandbox, open_socket: OpenSocket) -> None:
    """V3 names the sides of a book by a letter, and each update the number of the one before."""
    books = {"instType": "spot", "topic": "books", "symbol": "BTCUSDT"}
    fast.sockets.feed(books, every=0.2)
    connection = open_socket(fast, "/v3/ws/public")
    ask(connection, "subscribe", books)
    rows = [next_frame(connection)["data"][0] for _ in range(2)]
    assert [set(row) for row in rows] == [{"a", "b", "checksum", "seq", "pseq", "ts"}] * 2
    assert rows[1]["pseq"] == rows[0]["seq"]


@pytest.mark.parametrize(
    ("path", "arg", "action", "fields"),
    [
        ("v2", TICKER, "snapshot", {"instId", "lastPr", "bidPr", "askPr", "high24h", "changeUtc24h", "ts"}),
        ("v2", {**TICKER, "channel": "trade"}, "update", {"ts", "price", "size", "side", "tradeId"}),
        ("v2", {**BOOKS, "channel": "books5"}, "snapshot", {"asks", "bids", "checksum", "seq", "ts"}),
        ("v3", V3_TICKER, "snapshot", {"lastPrice", "bid1Price", "ask1Size", "price24hPcnt"}),
        ("v3", {**V3_TICKER, "topic": "publicTrade"}, "update", {"p", "v", "S", "T", "i", "L"}),
        ("v3", {**V3_TICKER, "topic": "kline", "interval": "1m"}, "update", {"start", "open", "close", "volume"}),
    ],
)
def test_the_shape_of_market_data(
    path: str, arg: dict[str, str], action: str, fields: set[str], fast: Sandbox, open_socket: OpenSocket
) -> None:
    """The rows have the fields that Bitget documents, as texts."""
    fast.sockets.feed(arg, every=0.2)
    connection = open_socket(fast, f"/{path}/ws/public")
    ask(connection, "subscribe", arg)
    frame = next_frame(connection)
    (row,) = frame["data"]
    assert frame["action"] == action
    assert fields <= set(row)
    assert all(isinstance(row[field], str) for field in fields - {"asks", "bids", "checksum", "seq"})


def test_candles_are_lists(fast: Sandbox, open_socket: OpenSocket) -> None:
    """V2 sends a candle as eight texts; a channel without market data has the sandbox's number alone."""
    candles = {**TICKER, "channel": "candle1m"}
    fast.sockets.feed(candles, every=0.2)
    connection = open_socket(fast, "/v2/ws/public")
    ask(connection, "subscribe", candles)
    (row,) = next_frame(connection)["data"]
    assert len(row) == 8
    assert all(isinstance(text, str) for text in row)


def test_feeds_and_faults_that_are_none(exchange: Sandbox) -> None:
    """The error for an unknown feed or fault says what is allowed."""
    for wrong in ({**TICKER, "channel": "weather"}, {"topic": "order"}):
        with pytest.raises(ValueError, match="to subscribe to"):
            exchange.sockets.feed(wrong)
    with pytest.raises(ValueError, match="every: expected seconds above 0"):
        exchange.sockets.feed(TICKER, every=0)
    for text, words in {
        "explode": "unknown fault",
        "close": "expected a code",
        "error:30007:loud": "takes close, text",
        "lose_push@login": "take a stage",
        "drop@noon": "one of open, login, subscribe",
    }.items():
        with pytest.raises(ValueError, match=words):
            exchange.sockets.script(text)
    for text in ("", "refuse"):
        with pytest.raises(ValueError, match="cannot happen on an open connection"):
            exchange.sockets.fault(text)
    with pytest.raises(ValueError, match="path: expected one of /v2/ws/public"):
        exchange.sockets.fault("drop", path="/v4")
    with pytest.raises(ValueError, match="path: expected one of /v2/ws/public"):
        exchange.sockets.script("drop", path="/v4")


def test_the_controls_over_http(exchange: Sandbox, open_socket: OpenSocket) -> None:
    """Another process can script, apply faults, and read what the sockets saw."""
    control = exchange.rest + "/sandbox/sockets"
    assert requests.post(control, json={"script": ["refuse"]}, timeout=60).json() == {}
    with pytest.raises(InvalidStatus):
        open_socket(exchange, "/v2/ws/public")
    connection = open_socket(exchange, "/v2/ws/public")
    ask(connection, "subscribe", TICKER)
    seen = requests.get(control, timeout=60).json()
    row = {"number": 1, "path": "/v2/ws/public", "open": True, "logged_in": False, "subscriptions": [TICKER]}
    assert seen == {"connects": 2, "violations": [], "connections": [{**row, "frames": 1}]}
    answer = requests.post(control, json={"fault": "close:1012", "path": "/v2/ws/public"}, timeout=60)
    assert answer.json() == {"met": 1}
    assert close_code(connection) == 1012
    for wrong in (
        {"script": "drop"},
        {"script": [], "number": 1},
        {"fault": "boom"},
        {"fault": "drop", "path": 7},
        {"more": 1},
        [],
    ):
        refused = requests.post(control, json=wrong, timeout=60)
        assert (refused.status_code, list(refused.json())) == (400, ["error"])


def test_what_pace_takes() -> None:
    """A pace must be above 0."""
    with pytest.raises(ValueError, match="pace: expected a number above 0"):
        Sandbox(pace=0)


def test_nobody_comes() -> None:
    """A sandbox whose sockets were never used can be closed, and takes no command afterwards."""
    with Sandbox() as exchange:
        assert exchange.ws.startswith("ws://127.0.0.1:")
        assert exchange.sockets.connections == []
    with pytest.raises(RuntimeError, match="the sandbox is closed"):
        exchange.sockets.script("drop")


WITHOUT_WEBSOCKETS = """
import sys
import zlib
from urllib.request import urlopen

sys.modules["websockets"] = None
from resilience.sandbox import Sandbox

with Sandbox() as exchange:
    assert urlopen(exchange.rest + "/api/v2/public/time", timeout=60).status == 200
    assert exchange.sockets.connects == 0
    try:
        exchange.sockets.script("drop")
    except ModuleNotFoundError as error:
        print(error)
"""


def test_the_sandbox_starts_without_websockets() -> None:
    """Without the library `websockets` the REST API works, and a command of the sockets says what to install."""
    run = subprocess.run([sys.executable, "-c", WITHOUT_WEBSOCKETS], check=True, capture_output=True, text=True)
    assert "needs websockets: pip install" in run.stdout
