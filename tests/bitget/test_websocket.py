"""The clients of Bitget's sockets, on the sandbox: connecting, restoring, events and limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from resilience.bitget import WebsocketClientV2
from resilience.sandbox import Sandbox
from resilience.streams import StreamSettings
from tests.bitget.listening import BOOKS, ORDERS, ORDERS3, TICKER, TICKER3, EventLog, client_of, fast_policies, run


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox() as sandbox:
        yield sandbox


def seqs(updates: list[Any]) -> list[int]:
    """Return the sequence numbers of updates."""
    return [update["data"][0]["seq"] for update in updates]


@pytest.mark.parametrize(("version", "public", "private"), [(2, TICKER, ORDERS), (3, TICKER3, ORDERS3)])
@pytest.mark.parametrize("spelling", ["ack_text", "ack_number"])
def test_both_sockets_are_opened_as_needed(
    exchange: Sandbox, version: int, public: dict[str, str], private: dict[str, str], spelling: str
) -> None:
    """One socket per kind of channel, a login on the private one only; both spellings of an ack are accepted."""

    async def story() -> None:
        exchange.sockets.script(spelling)
        async with client_of(exchange, version) as client:
            log = EventLog(client)
            client.subscribe(private)
            await client.ready()
            client.subscribe(public)
            await client.ready()
            exchange.sockets.feed(public, every=0.02)
            updates = await log.wait_for("update", 3)
            assert log.names == ["open", "authenticated", "open"]
            assert seqs(updates)[:3] == [seqs(updates)[0] + n for n in range(3)]
            assert client.states == {"private": "live", "public": "live"}
        assert log.names[3:] == ["close", "close"]

    run(story())
    paths = [one.path for one in exchange.sockets.connections]
    assert paths == [f"/v{version}/ws/private", f"/v{version}/ws/public"]
    assert exchange.sockets.violations == []


def test_everything_is_restored_after_a_drop(exchange: Sandbox) -> None:
    """A reset connection is emitted once, reopened, logged in and subscribed once."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(TICKER, ORDERS)
            await client.ready()
            exchange.sockets.fault("drop")
            await log.wait_for("reconnected", 2)
            await client.ready()
            await log.wait_for("gap")
        failures = log.of("exception")
        assert [(one.category.value, one.code, one.action) for one in failures] == [
            ("retryable", "connection_closed", "reconnect_relogin_resubscribe")
        ] * 2
        assert all(one.action_text.startswith("connects again in") for one in failures)
        (gap,) = log.of("gap")
        assert gap.socket == "private"
        assert gap.since <= gap.until
        assert [name for name in log.names if name != "exception"].count("open") == 2

    run(story())
    alive = [one.subscriptions for one in exchange.sockets.connections[2:]]
    assert sorted(map(str, alive)) == sorted(map(str, [[TICKER], [ORDERS]]))
    assert exchange.sockets.violations == []


def test_an_announced_upgrade_leaves_no_gap_and_no_duplicate() -> None:
    """On 30033 a second connection takes over while the first still delivers updates; each is emitted once."""

    async def story(exchange: Sandbox) -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(TICKER, BOOKS)
            await client.ready()
            exchange.sockets.feed(TICKER, every=0.05)
            exchange.sockets.feed(BOOKS, every=0.05)
            await log.wait_for("update", 20)
            exchange.sockets.fault("upgrade")
            await log.wait_for("reconnected")
            old = exchange.sockets.connections[0]
            assert old.open
            await log.until(lambda: not old.open)
            before = len(log.of("update"))
            await log.wait_for("update", before + 20)
        updates = log.of("update")
        for channel in ("ticker", "books"):
            numbers = seqs([one for one in updates if one["arg"]["channel"] == channel])
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert [one.code for one in log.of("exception")] == ["30033"]

    with Sandbox() as exchange:
        run(story(exchange))
        assert exchange.sockets.violations == []
        assert exchange.sockets.connects == 2


def test_a_half_open_connection_is_detected() -> None:
    """A half-open connection sends nothing, not even FIN; the missing pong ends it."""

    async def story(exchange: Sandbox) -> None:
        limits = StreamSettings(ping="100ms", pong_within="4s")
        async with client_of(exchange, limits=limits) as client:
            log = EventLog(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault("half_open")
            (failure,) = await log.wait_for("exception")
            assert (failure.code, failure.category.value) == ("no_pong", "retryable")
            await log.wait_for("reconnected")
            await client.ready()

    with Sandbox(limits=False) as exchange:
        run(story(exchange))


def test_a_quiet_market_is_not_stale() -> None:
    """A connection that delivers only pongs is kept."""

    async def story(exchange: Sandbox) -> None:
        limits = StreamSettings(ping="50ms", stale_after="50ms", pong_within="60s")
        async with client_of(exchange, limits=limits) as client:
            log = EventLog(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault("mute")
            (connection,) = exchange.sockets.connections
            await log.until(lambda: connection.frames.count("ping") >= 8)
            assert log.of("exception") == []
            assert client.states["public"] in ("live", "stale")  # a ping may be unanswered

    with Sandbox(limits=False) as exchange:
        run(story(exchange))
        assert exchange.sockets.connects == 1


def test_a_connection_is_replaced_before_the_daily_disconnect() -> None:
    """A connection is replaced before the exchange's daily disconnect, without an exception."""

    async def story(exchange: Sandbox) -> None:
        limits = StreamSettings(renew_after="200ms", linger="50ms")
        async with client_of(exchange, limits=limits) as client:
            log = EventLog(client)
            client.subscribe(TICKER)
            await client.ready()
            await log.wait_for("reconnected", 2)
        assert log.of("exception") == []

    with Sandbox() as exchange:
        run(story(exchange))
        assert exchange.sockets.violations == []


def test_a_forced_disconnect(exchange: Sandbox) -> None:
    """A forced disconnect is a reconnect like any other."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault("expire")
            await log.wait_for("reconnected")
            await client.ready()
        assert [one.code for one in log.of("exception")] == ["connection_closed"]

    run(story())


@pytest.mark.parametrize("code", ["4001", "4002"])
def test_close_codes_of_bitget_are_classified(exchange: Sandbox, code: str) -> None:
    """A close frame with a code of the table is emitted with that code."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault(f"close:{code}")
            await log.wait_for("reconnected")
        assert [one.code for one in log.of("exception")] == [code]

    run(story())


@pytest.mark.parametrize("fault", ["malformed", "binary"])
def test_a_frame_that_cannot_be_read_is_dropped(exchange: Sandbox, fault: str) -> None:
    """A malformed frame is emitted as an exception and changes nothing else."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault(fault)
            (failure,) = await log.wait_for("exception")
            assert (failure.code, failure.action_text) == ("malformed_frame", "drops the frame and continues")
            exchange.sockets.push(TICKER, [{"seq": 1}])
            await log.wait_for("update")

    run(story())
    assert exchange.sockets.connects == 1


def test_a_sequence_gap_of_a_book_is_detected(exchange: Sandbox) -> None:
    """After a sequence gap that subscription is renewed and starts with a snapshot; the others stay."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(TICKER, BOOKS)
            await client.ready()
            exchange.sockets.feed(BOOKS, every=0.02)
            await log.wait_for("update", 3)
            exchange.sockets.fault("skip_seq")
            (failure,) = await log.wait_for("exception")
            assert (failure.code, dict(failure.arg)) == ("sequence_gap", BOOKS)
            await log.until(lambda: [one["action"] for one in log.of("update")].count("snapshot") >= 2)
            actions = [one["action"] for one in log.of("update")]
            count = len(actions)
            await log.wait_for("update", count + 3)
        numbers = seqs(log.of("update")[actions.index("snapshot", 1) :])
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    run(story())
    assert exchange.sockets.violations == []
    assert exchange.sockets.connects == 1


def test_subscribing_and_unsubscribing(exchange: Sandbox) -> None:
    """Unsubscribing reaches the exchange; a subscription that exists is not requested again."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(TICKER, BOOKS)
            client.subscribe(TICKER)
            await client.ready()
            client.unsubscribe(BOOKS)
            (connection,) = exchange.sockets.connections
            await log.until(lambda: connection.subscriptions == [TICKER])
            client.subscribe(BOOKS)
            await log.until(lambda: connection.subscriptions == [TICKER, BOOKS])

    run(story())
    assert exchange.sockets.violations == []


def test_many_subscriptions_stay_within_the_limits() -> None:
    """260 subscriptions keep the limits of frame size, frame rate and duplicates, across a reconnect."""

    async def story(exchange: Sandbox) -> None:
        args = [
            {"instType": kind, "channel": channel, "instId": symbol}
            for kind in ("SPOT", "USDT-FUTURES")
            for channel in ("ticker", "books", "books5", "books15", "trade", *(f"candle{n}m" for n in range(60)))
            for symbol in ("BTCUSDT", "ETHUSDT")
        ]
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(*args)
            await client.ready()
            exchange.sockets.fault("drop")
            await log.wait_for("reconnected")
            await client.ready()
            assert len(exchange.sockets.connections[-1].subscriptions) == len(args) == 260

    with Sandbox() as exchange:
        run(story(exchange))
        assert exchange.sockets.violations == []


def test_a_venue_that_is_down_is_retried_until_it_is_back(exchange: Sandbox) -> None:
    """Each rejected handshake is emitted; then the stream is live."""

    async def story() -> None:
        exchange.sockets.script(*["refuse"] * 6)
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(TICKER)
            await client.ready()
        failures = log.of("exception")
        assert [(one.code, one.http_status, one.phase) for one in failures] == [("503", 503, "connect")] * 6
        assert log.names.count("open") == 1

    run(story())


def test_a_loop_over_the_updates(exchange: Sandbox) -> None:
    """`async for` connects, yields updates in order and ends when the client is closed."""

    async def story() -> list[int]:
        client = WebsocketClientV2(base_url=exchange.ws, policies=fast_policies())
        client.subscribe(TICKER)
        exchange.sockets.feed(TICKER, every=0.01)
        updates: list[Any] = []
        async for update in client:
            updates.append(update)
            if len(updates) == 5:
                await client.close()
        return seqs(updates)[:5]

    numbers = run(story())
    assert numbers == list(range(numbers[0], numbers[0] + 5))


def test_a_handler_that_raises(exchange: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    """An error of a handler is an exception event that carries it; each handler's first error is logged in full."""

    async def story() -> None:
        async with client_of(exchange) as client:
            log = EventLog(client)

            async def broken(update: Any) -> None:
                raise KeyError("price")

            def worse(failure: Any) -> None:
                raise RuntimeError("password=hunter2hunter2")

            client.on("update", broken)
            client.on("exception", worse)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.push(TICKER, [{"seq": 1}])
            exchange.sockets.push(TICKER, [{"seq": 2}])
            failures = await log.wait_for("exception", 2)
            assert [(one.phase, one.category.value, one.caused_by) for one in failures] == [
                ("handler", "fatal", "KeyError")
            ] * 2
            assert [repr(one.error) for one in failures] == ["KeyError('price')"] * 2
            assert {one.handler.rpartition(".")[2] for one in failures} == {"broken"}
            assert "broken" in str(failures[0])
            assert len(log.of("update")) == 2

    run(story())
    written = caplog.text
    lines = [line for line in written.splitlines() if "stream handler raised" in line]
    assert [("broken" in line, "worse" in line) for line in lines] == [(True, False), (False, True)]
    assert 'raise KeyError("price")' in written  # the traceback shows the line of the program
    assert "hunter2hunter2" not in written


@pytest.mark.parametrize(
    ("arg", "message"),
    [
        ("ticker", "a subscription is a mapping"),
        ({"channel": "ticker"}, "needs instType"),
        ({"instType": "SPOT", "topic": "ticker"}, "needs channel"),
        ({"instType": "SPOT", "channel": "ticker"}, "needs instId"),
        ({"instType": "SPOT", "channel": "ticker", "instId": 5}, "expected a string, got 5"),
        ({"instType": "SPOT", "channel": "orders"}, "is private: the client needs key, secret and passphrase"),
    ],
)
def test_wrong_use_raises_at_once(arg: Any, message: str) -> None:
    """A wrong argument raises in the call, and nothing is subscribed."""
    client = WebsocketClientV2(policies=fast_policies())
    with pytest.raises((TypeError, ValueError), match=message):
        client.subscribe(TICKER, arg)
    assert client.states == {}
    with pytest.raises(ValueError, match=r"no event 'updates' \(available: authenticated, close"):
        client.on("updates", print)
    with pytest.raises(TypeError, match="a handler is a function"):
        client.on("update", None)  # type: ignore[arg-type]


def test_no_secret_in_events_and_logs(exchange: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """No event, log line or repr contains a credential or a signature."""

    async def story() -> str:
        exchange.sockets.script("reject_login:30005", "")
        async with client_of(exchange) as client:
            log = EventLog(client)
            client.subscribe(ORDERS)
            await log.wait_for("authenticated")
            exchange.sockets.fault("drop")
            await log.wait_for("authenticated", 2)
            return f"{log.events!r} {client!r} {vars(client)!r} {[str(one) for one in log.of('exception')]}"

    text = run(story()) + "".join(capsys.readouterr())
    logins = [json.loads(one.frames[0])["args"][0] for one in exchange.sockets.connections]
    for secret in (exchange.key, exchange.secret, exchange.passphrase, *(one["sign"] for one in logins)):
        assert secret not in text
