"""The clients of Bitget's sockets, on the sandbox: what they open, restore, tell and keep."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from resilience.bitget import AsyncBitgetClient, BitgetClient, WebsocketClientV2
from resilience.bitget.frames import FramesV2, FramesV3
from resilience.sandbox import Sandbox
from resilience.sandbox.exchange.order_store import FUTURES, SPOT
from resilience.streams import StreamSettings
from tests.bitget.listening import BOOKS, ORDERS, ORDERS3, TICKER, TICKER3, Heard, client_of, quick, run


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange whose time runs at its usual speed."""
    with Sandbox() as sandbox:
        yield sandbox


def rest_of(exchange: Sandbox) -> BitgetClient:
    """Return a REST client of the exchange."""
    return BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)


def seqs(updates: list[Any]) -> list[int]:
    """Return the numbers of numbered updates."""
    return [update["data"][0]["seq"] for update in updates]


def test_the_login_is_signed_as_the_facts_say() -> None:
    """The documented vector: stamp in whole seconds as a text, over GET and the path."""
    frame = json.loads(FramesV2("key", "secret", "phrase").login(1659076670.9))
    assert frame["op"] == "login"
    assert frame["args"][0]["timestamp"] == "1659076670"
    assert frame["args"][0]["passphrase"] == "phrase"


def test_an_echo_need_not_be_word_for_word() -> None:
    """A subscription is known by what it is of, whatever else an echo holds."""
    v2, v3 = FramesV2(), FramesV3()
    assert v2.id({"instType": "SPOT", "channel": "orders", "instId": "default"}) == v2.id(
        {"instType": "spot", "channel": "orders", "connId": "7"}
    )
    assert v2.id(TICKER) != v2.id(BOOKS) != v2.id({**BOOKS, "instId": "ETHUSDT"})
    assert v3.id(TICKER3) == v3.id({"instType": "SPOT", "topic": "ticker", "symbol": "btcusdt"})
    assert v3.id({**TICKER3, "interval": "1m"}) != v3.id(TICKER3)


@pytest.mark.parametrize(("version", "public", "private"), [(2, TICKER, ORDERS), (3, TICKER3, ORDERS3)])
@pytest.mark.parametrize("spelling", ["ack_text", "ack_number"])
def test_both_sockets_are_opened_as_needed(
    exchange: Sandbox, version: int, public: dict[str, str], private: dict[str, str], spelling: str
) -> None:
    """One socket for each kind of channel, a login on the private one alone; the ack counts in both spellings."""

    async def story() -> None:
        exchange.sockets.script(spelling)
        async with client_of(exchange, version) as client:
            heard = Heard(client)
            client.subscribe(private)
            await client.ready()
            client.subscribe(public)
            await client.ready()
            exchange.sockets.feed(public, every=0.02)
            updates = await heard.came("update", 3)
            assert heard.names == ["open", "authenticated", "open"]
            assert seqs(updates)[:3] == [seqs(updates)[0] + n for n in range(3)]
            assert client.states == {"private": "live", "public": "live"}
        assert heard.names[3:] == ["close", "close"]

    run(story())
    paths = [one.path for one in exchange.sockets.connections]
    assert paths == [f"/v{version}/ws/private", f"/v{version}/ws/public"]
    assert exchange.sockets.violations == []


def test_everything_is_restored_after_a_drop(exchange: Sandbox) -> None:
    """A reset connection is told once, made again, logged in again, and subscribed to once."""

    async def story() -> None:
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(TICKER, ORDERS)
            await client.ready()
            exchange.sockets.fault("drop")
            await heard.came("reconnected", 2)
            await client.ready()
            await heard.came("gap")
        failures = heard.of("exception")
        assert [(one.category.value, one.code, one.action) for one in failures] == [
            ("retryable", "connection_closed", "reconnect_relogin_resubscribe")
        ] * 2
        assert all(one.doing.startswith("connects again in") for one in failures)
        (gap,) = heard.of("gap")
        assert gap.socket == "private"
        assert gap.since <= gap.until
        assert [name for name in heard.names if name != "exception"].count("open") == 2

    run(story())
    alive = [one.subscriptions for one in exchange.sockets.connections[2:]]
    assert sorted(map(str, alive)) == sorted(map(str, [[TICKER], [ORDERS]]))
    assert exchange.sockets.violations == []


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_what_a_gap_swallowed_is_fetched(exchange: Sandbox, colour: str) -> None:
    """An order that was filled while the private stream was down comes as an update."""

    async def story() -> list[Any]:
        rest: Any = rest_of(exchange)
        asking = rest
        if colour == "async":
            asking = AsyncBitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        try:
            async with client_of(exchange, rest=asking) as client:
                heard = Heard(client)
                client.subscribe(ORDERS)
                await client.ready()
                exchange.sockets.script("refuse", "refuse")
                exchange.sockets.fault("drop")
                await heard.came("exception")
                order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
                await asyncio.to_thread(rest.spot_place_order, **order, clientOid="missed")
                await heard.came("gap")
                await heard.until(lambda: any(one["action"] == "missed" for one in heard.of("update")))
                return heard.of("update")
        finally:
            rest.close()
            if colour == "async":
                await asking.close()

    updates = run(story())
    missed = [one for one in updates if one["action"] == "missed"]
    assert [row["clientOid"] for row in missed[0]["data"]] == ["missed"]


def test_more_orders_than_fit_one_page_are_fetched(exchange: Sandbox) -> None:
    """A gap in which a busy bot was filled 250 times is fetched page after page."""

    async def story(rest: BitgetClient) -> set[str]:
        async with client_of(exchange, rest=rest) as client:
            heard = Heard(client)
            client.subscribe(ORDERS)
            await client.ready()
            exchange.sockets.script("refuse", "refuse")
            exchange.sockets.fault("drop")
            await heard.came("exception")
            order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "50"}
            for number in range(250):
                exchange.exchange.place(SPOT, {**order, "clientOid": f"n{number}"}, exchange.now())
            await heard.until(lambda: any(one["action"] == "missed" for one in heard.of("update")))
            return {row["clientOid"] for one in heard.of("update") for row in one["data"]}

    with rest_of(exchange) as rest:
        assert run(story(rest)) == {f"n{number}" for number in range(250)}


@pytest.mark.parametrize("kind", ["spot", "futures", "v3"])
def test_an_old_order_that_ended_in_a_gap_is_fetched(kind: str) -> None:
    """A list of past orders goes by when they were placed: one that had rested for long is asked for by its id."""
    unified, mix = kind == "v3", kind == "futures"
    arg = ORDERS3 if unified else {**ORDERS, "instType": "USDT-FUTURES"} if mix else ORDERS
    market = FUTURES if mix else SPOT
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}
    future = {"productType": "USDT-FUTURES", "marginMode": "crossed", "marginCoin": "USDT"} if mix else {}

    async def story(exchange: Sandbox) -> list[Any]:
        rest: Any = rest_of(exchange)
        try:
            async with client_of(exchange, 3 if unified else 2, rest=rest) as client:
                heard = Heard(client)
                client.subscribe(arg)
                await client.ready()
                old = exchange.exchange.place(market, {**order, **future, "clientOid": "old"}, exchange.now())
                await heard.came("update")
                old.created -= 3600
                exchange.sockets.script("refuse", "refuse")
                exchange.sockets.fault("drop")
                await heard.came("exception")
                exchange.exchange.cancel(market, {"clientOid": "old"}, exchange.now())
                await heard.until(lambda: any(one["action"] == "missed" for one in heard.of("update")))
                return heard.of("update")
        finally:
            rest.close()

    with Sandbox(unified=unified) as exchange:
        (row,) = run(story(exchange))[-1]["data"]
    assert row["clientOid"] == "old"
    assert (row.get("orderStatus") or row.get("status") or row.get("state")).startswith("cancel")


@pytest.mark.parametrize("version", [2, 3])
def test_an_order_older_than_the_stream_that_ended_in_a_gap_is_fetched(version: int) -> None:
    """The exchange tells nothing of orders that are open when a stream begins: they are asked for once."""
    order = {"symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "force": "gtc", "price": "100", "size": "1"}

    async def story(exchange: Sandbox, rest: BitgetClient) -> list[Any]:
        old = exchange.exchange.place(SPOT, {**order, "clientOid": "older"}, exchange.now())
        old.created -= 3600
        async with client_of(exchange, version, rest=rest) as client:
            heard = Heard(client)
            client.subscribe(ORDERS if version == 2 else ORDERS3)
            await client.ready()
            remembered = client._dialect.heard.__self__._open  # nothing that a user sees tells that it was asked
            await heard.until(lambda: any(remembered.values()))
            exchange.sockets.script("refuse", "refuse")
            exchange.sockets.fault("drop")
            await heard.came("exception")
            exchange.exchange.cancel(SPOT, {"clientOid": "older"}, exchange.now())
            await heard.until(lambda: any(one["action"] == "missed" for one in heard.of("update")))
            return heard.of("update")

    with Sandbox(unified=version == 3) as exchange, rest_of(exchange) as rest:
        (update,) = run(story(exchange, rest))
    assert [row["clientOid"] for row in update["data"]] == ["older"]


def test_an_announced_upgrade_leaves_no_gap_and_no_copy() -> None:
    """On 30033 a second connection takes over while the first still brings updates: each comes once."""

    async def story(exchange: Sandbox) -> None:
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(TICKER, BOOKS)
            await client.ready()
            exchange.sockets.feed(TICKER, every=0.005)
            exchange.sockets.feed(BOOKS, every=0.005)
            await heard.came("update", 20)
            exchange.sockets.fault("upgrade")
            await heard.came("reconnected")
            old = exchange.sockets.connections[0]
            assert old.open
            await heard.until(lambda: not old.open)
            before = len(heard.of("update"))
            await heard.came("update", before + 20)
        updates = heard.of("update")
        for channel in ("ticker", "books"):
            numbers = seqs([one for one in updates if one["arg"]["channel"] == channel])
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert [one.code for one in heard.of("exception")] == ["30033"]

    with Sandbox() as exchange:
        run(story(exchange))
        assert exchange.sockets.violations == []
        assert exchange.sockets.connects == 2


def test_a_connection_that_dies_without_a_word_is_noticed() -> None:
    """Half open: nothing comes, no FIN; the missing pong tells."""

    async def story(exchange: Sandbox) -> None:
        limits = StreamSettings(ping="100ms", pong_within="2s")
        async with client_of(exchange, limits=limits) as client:
            heard = Heard(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault("half_open")
            (failure,) = await heard.came("exception")
            assert (failure.code, failure.category.value) == ("no_pong", "retryable")
            await heard.came("reconnected")
            await client.ready()

    with Sandbox(limits=False) as exchange:
        run(story(exchange))


def test_a_quiet_market_is_not_stale() -> None:
    """Nothing but pongs, ping after ping: the connection stays."""

    async def story(exchange: Sandbox) -> None:
        limits = StreamSettings(ping="50ms", stale_after="50ms", pong_within="15s")
        async with client_of(exchange, limits=limits) as client:
            heard = Heard(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault("mute")
            (connection,) = exchange.sockets.connections
            await heard.until(lambda: connection.frames.count("ping") >= 8)
            assert heard.of("exception") == []
            assert client.states["public"] in ("live", "stale")  # a ping may be out

    with Sandbox(limits=False) as exchange:
        run(story(exchange))
        assert exchange.sockets.connects == 1


def test_the_daily_end_is_forestalled() -> None:
    """A connection near its day's end is replaced before the exchange ends it, without an exception."""

    async def story(exchange: Sandbox) -> None:
        limits = StreamSettings(renew_after="200ms", linger="50ms")
        async with client_of(exchange, limits=limits) as client:
            heard = Heard(client)
            client.subscribe(TICKER)
            await client.ready()
            await heard.came("reconnected", 2)
        assert heard.of("exception") == []

    with Sandbox() as exchange:
        run(story(exchange))
        assert exchange.sockets.violations == []


def test_the_forced_end_is_survived(exchange: Sandbox) -> None:
    """An end that came all the same is a reconnect like any other."""

    async def story() -> None:
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault("expire")
            await heard.came("reconnected")
            await client.ready()
        assert [one.code for one in heard.of("exception")] == ["connection_closed"]

    run(story())


@pytest.mark.parametrize("code", ["4001", "4002"])
def test_close_codes_of_bitgets_own_are_looked_up(exchange: Sandbox, code: str) -> None:
    """A close frame that carries one of the table's codes is told as that."""

    async def story() -> None:
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault(f"close:{code}")
            await heard.came("reconnected")
        assert [one.code for one in heard.of("exception")] == [code]

    run(story())


@pytest.mark.parametrize("fault", ["malformed", "binary"])
def test_a_frame_that_cannot_be_read_is_dropped(exchange: Sandbox, fault: str) -> None:
    """It is told, and nothing else changes."""

    async def story() -> None:
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.fault(fault)
            (failure,) = await heard.came("exception")
            assert (failure.code, failure.doing) == ("malformed_frame", "drops the frame and goes on")
            exchange.sockets.push(TICKER, [{"seq": 1}])
            await heard.came("update")

    run(story())
    assert exchange.sockets.connects == 1


def test_a_lost_number_of_a_book_is_noticed(exchange: Sandbox) -> None:
    """That one subscription is asked for anew and begins with a snapshot; the others stay."""

    async def story() -> None:
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(TICKER, BOOKS)
            await client.ready()
            exchange.sockets.feed(BOOKS, every=0.02)
            await heard.came("update", 3)
            exchange.sockets.fault("skip_seq")
            (failure,) = await heard.came("exception")
            assert (failure.code, dict(failure.arg)) == ("sequence_gap", BOOKS)
            await heard.until(lambda: [one["action"] for one in heard.of("update")].count("snapshot") >= 2)
            actions = [one["action"] for one in heard.of("update")]
            count = len(actions)
            await heard.came("update", count + 3)
        numbers = seqs(heard.of("update")[actions.index("snapshot", 1) :])
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))

    run(story())
    assert exchange.sockets.violations == []
    assert exchange.sockets.connects == 1


def test_subscriptions_come_and_go(exchange: Sandbox) -> None:
    """What is given up is given up on the exchange too; what is wanted twice is asked for once."""

    async def story() -> None:
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(TICKER, BOOKS)
            client.subscribe(TICKER)
            await client.ready()
            client.unsubscribe(BOOKS)
            (connection,) = exchange.sockets.connections
            await heard.until(lambda: connection.subscriptions == [TICKER])
            client.subscribe(BOOKS)
            await heard.until(lambda: connection.subscriptions == [TICKER, BOOKS])

    run(story())
    assert exchange.sockets.violations == []


def test_many_subscriptions_stay_within_the_limits() -> None:
    """Frames under 4,096 bytes, at most ten a second, none twice, across reconnects."""

    async def story(exchange: Sandbox) -> None:
        args = [
            {"instType": kind, "channel": channel, "instId": symbol}
            for kind in ("SPOT", "USDT-FUTURES")
            for channel in ("ticker", "books", "books5", "books15", "trade", *(f"candle{n}m" for n in range(60)))
            for symbol in ("BTCUSDT", "ETHUSDT")
        ]
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(*args)
            await client.ready()
            exchange.sockets.fault("drop")
            await heard.came("reconnected")
            await client.ready()
            assert len(exchange.sockets.connections[-1].subscriptions) == len(args) == 260

    with Sandbox() as exchange:
        run(story(exchange))
        assert exchange.sockets.violations == []


def test_a_venue_that_is_down_is_asked_for_as_long_as_it_takes(exchange: Sandbox) -> None:
    """Refused handshakes are told one by one, each with what is done; then the stream is live."""

    async def story() -> None:
        exchange.sockets.script(*["refuse"] * 6)
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(TICKER)
            await client.ready()
        failures = heard.of("exception")
        assert [(one.code, one.http_status, one.during) for one in failures] == [("503", 503, "connect")] * 6
        assert heard.names.count("open") == 1

    run(story())


def test_a_loop_takes_the_updates(exchange: Sandbox) -> None:
    """`async for` connects by itself, yields updates in order and ends when the client is closed."""

    async def story() -> list[int]:
        client = WebsocketClientV2(base_url=exchange.ws, policies=quick())
        client.subscribe(TICKER)
        exchange.sockets.feed(TICKER, every=0.01)
        found: list[Any] = []
        async for update in client:
            found.append(update)
            if len(found) == 5:
                await client.close()
        return seqs(found)[:5]

    numbers = run(story())
    assert numbers == list(range(numbers[0], numbers[0] + 5))


def test_an_event_stays_when_a_handler_raises(exchange: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A raising handler is an exception event; one that listens to exceptions is logged once."""

    async def story() -> None:
        async with client_of(exchange) as client:
            heard = Heard(client)

            async def broken(update: Any) -> None:
                raise KeyError("price")

            def worse(failure: Any) -> None:
                raise RuntimeError("secret-of-the-handler")

            client.on("update", broken)
            client.on("exception", worse)
            client.subscribe(TICKER)
            await client.ready()
            exchange.sockets.push(TICKER, [{"seq": 1}])
            exchange.sockets.push(TICKER, [{"seq": 2}])
            failures = await heard.came("exception", 2)
            assert [(one.during, one.category.value, one.caused_by) for one in failures] == [
                ("handler", "fatal", "KeyError")
            ] * 2
            assert len(heard.of("update")) == 2

    run(story())
    lines = [line for line in capsys.readouterr().err.splitlines() if "handler_raised" in line]
    assert len(lines) == 1
    assert "secret-of-the-handler" not in lines[0]


@pytest.mark.parametrize(
    ("arg", "told"),
    [
        ("ticker", "a subscription is a mapping"),
        ({"channel": "ticker"}, "needs instType"),
        ({"instType": "SPOT", "topic": "ticker"}, "needs channel"),
        ({"instType": "SPOT", "channel": "ticker"}, "needs instId"),
        ({"instType": "SPOT", "channel": "ticker", "instId": 5}, "expected a text, got 5"),
        ({"instType": "SPOT", "channel": "orders"}, "is private: the client needs key, secret and passphrase"),
    ],
)
def test_wrong_use_is_told_at_once(arg: Any, told: str) -> None:
    """What is no subscription raises where it was asked for, and nothing is subscribed."""
    client = WebsocketClientV2(policies=quick())
    with pytest.raises((TypeError, ValueError), match=told):
        client.subscribe(TICKER, arg)
    assert client.states == {}
    with pytest.raises(ValueError, match="no event 'updates'; there are authenticated, close"):
        client.on("updates", print)
    with pytest.raises(TypeError, match="a handler is a function"):
        client.on("update", None)  # type: ignore[arg-type]


def test_nothing_secret_is_in_what_is_told(exchange: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither events nor log lines nor reprs hold a credential or a signature."""

    async def story() -> str:
        exchange.sockets.script("reject_login:30005", "")
        async with client_of(exchange) as client:
            heard = Heard(client)
            client.subscribe(ORDERS)
            await heard.came("authenticated")
            exchange.sockets.fault("drop")
            await heard.came("authenticated", 2)
            return f"{heard.events!r} {client!r} {vars(client)!r} {[str(one) for one in heard.of('exception')]}"

    text = run(story()) + "".join(capsys.readouterr())
    logins = [json.loads(one.frames[0])["args"][0] for one in exchange.sockets.connections]
    for secret in (exchange.key, exchange.secret, exchange.passphrase, *(one["sign"] for one in logins)):
        assert secret not in text
