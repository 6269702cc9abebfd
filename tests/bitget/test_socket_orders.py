"""Orders over the socket, on the sandbox: executed and reported once, even if a frame or its answer is lost."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from resilience import Policies, failure_of, wrap
from resilience.bitget import AsyncBitgetClient, BitgetClient, WebsocketClientV2, WebsocketClientV3
from resilience.integrations.websockets import Socket
from resilience.sandbox import Sandbox
from tests.bitget.listening import EventLog, run

VERSIONS = [2, 3]
HEAD = {2: {"instType": "SPOT", "instId": "BTCUSDT"}, 3: {"category": "spot", "symbol": "BTCUSDT"}}
SIZE = {2: {"size": "50"}, 3: {"qty": "50"}}
MARKET = {"side": "buy", "orderType": "market"}
RESTING = {"side": "buy", "orderType": "limit", "price": "1"}
FUTURES = {"instType": "USDT-FUTURES", "instId": "BTCUSDT", "marginMode": "crossed", "marginCoin": "USDT", "size": "1"}


@pytest.fixture(params=VERSIONS, ids=["v2", "v3"])
def version(request: Any) -> int:
    """The version of the sockets."""
    return int(request.param)


@pytest.fixture
def exchange(version: int) -> Iterator[Sandbox]:
    """An exchange that accepts a stamp for two seconds."""
    with Sandbox(window=2.0, unified=version == 3) as sandbox:
        yield sandbox


@asynccontextmanager
async def trading(exchange: Sandbox, version: int, key: str | None = None) -> AsyncIterator[Any]:
    """Yield a client with a REST client and the sandbox's policies."""
    policies = Policies.load(exchange.policy)
    client_class = WebsocketClientV2 if version == 2 else WebsocketClientV3
    keys = key or exchange.key, exchange.secret, exchange.passphrase
    rest = AsyncBitgetClient(*keys, base_url=exchange.rest)
    options = {"base_url": exchange.ws, "policies": policies, "rest": rest}
    async with rest, client_class(*keys, **options) as client:
        yield client


def executed(exchange: Sandbox) -> dict[str, int]:
    """Return how often each order was executed."""
    return {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}


async def place_first_order(client: Any, version: int) -> None:
    """Place one order, so that the private socket is open."""
    await client.place_order(**HEAD[version], **SIZE[version], **MARKET, clientOid="first")


@pytest.mark.parametrize(
    "fault",
    [
        "trade_lost",
        pytest.param("trade_unseen", marks=pytest.mark.slow),
        pytest.param("half_open", marks=pytest.mark.slow),
        "trade_error:40725",
        "error:30007",
    ],
)
def test_an_uncertain_order_is_executed_once(exchange: Sandbox, version: int, fault: str) -> None:
    """If the frame or its answer is lost, the order is looked up by REST, and sent again only if not executed."""

    async def story() -> Any:
        async with trading(exchange, version) as client:
            await place_first_order(client, version)
            exchange.sockets.fault(fault, path=f"/v{version}/ws/private")
            return await client.place_order(**HEAD[version], **SIZE[version], **MARKET, clientOid="mine")

    result = run(story())
    assert (result["clientOid"], bool(result["orderId"])) == ("mine", True)
    assert executed(exchange) == {"first": 1, "mine": 1}


def test_a_rejection_is_raised(exchange: Sandbox, version: int) -> None:
    """The error has the code and its remedy; nothing was executed, and no exception event repeats it."""

    async def story() -> Any:
        events: list[Any] = []
        async with trading(exchange, version) as client:
            client.on("exception", events.append)
            await place_first_order(client, version)
            exchange.sockets.fault("trade_error:25202")
            with pytest.raises(Exception, match="25202") as caught:
                await client.place_order(**HEAD[version], **SIZE[version], **MARKET, clientOid="mine")
            return caught.value, events

    error, events = run(story())
    failure = failure_of(error)
    assert (type(error).__name__, failure.code, failure.category, failure.executed) == (
        "BitgetSocketError", "25202", "user_fixable", "no",
    )  # fmt: skip
    assert failure.remedy == "Deposit or transfer funds, or reduce the order"
    assert (failure.key, events, executed(exchange)) == ("mine", [], {"first": 1})


def test_a_cancel_whose_answer_is_lost(exchange: Sandbox, version: int) -> None:
    """The order is looked up and reported as cancelled."""

    async def story() -> Any:
        async with trading(exchange, version) as client:
            resting = {**RESTING, **({"force": "gtc"} if version == 2 else {})}
            await client.place_order(**HEAD[version], **SIZE[version], **resting, clientOid="resting")
            exchange.sockets.fault("trade_lost", path=f"/v{version}/ws/private")
            return await client.cancel_order(**HEAD[version], clientOid="resting")

    assert run(story())["status"] == "cancelled"


def test_a_rejected_key_is_not_tried_again(exchange: Sandbox, version: int) -> None:
    """The socket gives up, the order is not sent, and its error says what to fix."""

    async def story() -> Any:
        async with trading(exchange, version, key="another-key") as client:
            with pytest.raises(Exception, match="given up") as caught:
                await client.place_order(**HEAD[version], **SIZE[version], **MARKET)
            return failure_of(caught.value)

    failure = run(story())
    assert (failure.code, failure.category, failure.executed) == ("30011", "user_fixable", "no")
    assert failure.remedy == "Check the API key; demo and live keys differ"
    assert executed(exchange) == {}


def test_a_cancelled_call_leaves_no_frame_on_its_way(
    exchange: Sandbox, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection is cut, so that an order whose caller was cancelled is not delivered later."""
    sent, send = asyncio.Event(), Socket.send

    async def send_and_notice(socket: Socket, text: str) -> None:
        await send(socket, text)
        sent.set()

    async def story() -> None:
        async with trading(exchange, version) as client:
            events = EventLog(client)
            await place_first_order(client, version)
            (first,) = exchange.sockets.connections
            exchange.sockets.fault("half_open")
            monkeypatch.setattr(Socket, "send", send_and_notice)
            call = asyncio.ensure_future(client.place_order(**HEAD[version], **SIZE[version], **MARKET))
            await sent.wait()  # and the exchange does not read it
            call.cancel()
            await asyncio.wait([call])
            assert call.cancelled()
            await events.until(lambda: not first.open)

    run(story())
    assert executed(exchange) == {"first": 1}


def test_futures_are_placed_and_looked_up() -> None:
    """A V2 order whose `instType` is a futures market is looked up among the futures."""

    async def story(exchange: Sandbox) -> Any:
        async with trading(exchange, 2) as client:
            await client.place_order(**FUTURES, **MARKET, clientOid="first")
            exchange.sockets.fault("trade_lost", path="/v2/ws/private")
            return await client.place_order(**FUTURES, **MARKET, clientOid="mine")

    with Sandbox(window=2.0) as exchange:
        assert run(story(exchange))["clientOid"] == "mine"
        assert executed(exchange) == {"first": 1, "mine": 1}


def test_a_sync_rest_client_works_too() -> None:
    """With a sync REST client, lookups and time queries run in a thread."""

    async def story(exchange: Sandbox) -> Any:
        rest = BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        options = {"base_url": exchange.ws, "policies": Policies.load(exchange.policy), "rest": rest}
        with rest:
            async with WebsocketClientV2(exchange.key, exchange.secret, exchange.passphrase, **options) as client:
                await place_first_order(client, 2)
                exchange.sockets.fault("trade_lost", path="/v2/ws/private")
                return await client.place_order(**HEAD[2], **SIZE[2], **MARKET, clientOid="mine")

    with Sandbox(window=2.0) as exchange:
        assert run(story(exchange))["clientOid"] == "mine"
        assert executed(exchange) == {"first": 1, "mine": 1}


@pytest.mark.parametrize(
    ("client", "params", "words"),
    [
        (WebsocketClientV2("k", "s", "p"), {**HEAD[2], **MARKET}, "need rest="),
        (WebsocketClientV2(), {**HEAD[2], **MARKET}, "need credentials"),
        (WebsocketClientV2("k", "s", "p"), {"instType": "SPOT"}, "instId: expected a string"),
        (WebsocketClientV3("k", "s", "p"), {"symbol": "BTCUSDT"}, "category: expected a string"),
    ],
)
def test_a_missing_argument_raises_at_once(client: Any, params: dict[str, Any], words: str) -> None:
    """Without a REST client, credentials or a market nothing is sent."""
    with pytest.raises(ValueError, match=words):
        run(client.place_order(**params))


def test_a_wrapped_rest_client_works_too() -> None:
    """Wrapped async methods are coroutine functions, so lookups are awaited and not run in a thread."""

    async def story(exchange: Sandbox) -> Any:
        policies = Policies.load(exchange.policy)
        plain = AsyncBitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest)
        rest = wrap(plain, "bitget", policies=policies)
        assert inspect.iscoroutinefunction(rest.get)
        assert inspect.iscoroutinefunction(rest.server_time)
        options = {"base_url": exchange.ws, "policies": policies, "rest": rest}
        async with rest, WebsocketClientV2(exchange.key, exchange.secret, exchange.passphrase, **options) as client:
            await place_first_order(client, 2)
            exchange.sockets.fault("trade_lost", path="/v2/ws/private")
            return await client.place_order(**HEAD[2], **SIZE[2], **MARKET, clientOid="mine")

    with Sandbox(window=2.0) as exchange:
        assert run(story(exchange))["clientOid"] == "mine"
        assert executed(exchange) == {"first": 1, "mine": 1}


def test_a_program_without_an_event_loop_can_trade(exchange: Sandbox, version: int) -> None:
    """The blocking client waits for its orders; a handler runs in its thread, so there the same call raises."""
    client_class = WebsocketClientV2 if version == 2 else WebsocketClientV3
    resting = {**HEAD[version], **SIZE[version], **RESTING, **({"force": "gtc"} if version == 2 else {})}
    errors: list[str] = []
    with BitgetClient(exchange.key, exchange.secret, exchange.passphrase, base_url=exchange.rest) as rest:
        options = {"base_url": exchange.ws, "policies": Policies.load(exchange.policy), "rest": rest}
        client = client_class(exchange.key, exchange.secret, exchange.passphrase, **options)
        with client.blocking() as bot:

            def place_in_handler(_notice: object) -> None:
                with pytest.raises(RuntimeError, match="its own thread") as caught:
                    bot.place_order(**resting)
                errors.append(str(caught.value))

            bot.on("reconnected", place_in_handler)
            assert bot.place_order(**resting, clientOid="first")["clientOid"] == "first"
            exchange.sockets.fault("trade_lost", path=f"/v{version}/ws/private")
            assert bot.place_order(**resting, clientOid="mine")["clientOid"] == "mine"
            assert bot.cancel_order(**HEAD[version], clientOid="mine")["clientOid"] == "mine"
    assert (executed(exchange), len(errors)) == ({"first": 1, "mine": 1}, 1)
