"""Mistakes with orders over the socket that went unnoticed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from resilience import DeadlineExceededError, Policies, failure_of
from resilience._core.call.operation_info import OperationInfo
from resilience.bitget import AsyncBitgetClient, WebsocketClientV2
from resilience.bitget.dialect_v2 import DialectV2
from resilience.bitget.socket_orders import SocketOrders
from resilience.sandbox import Sandbox
from resilience.streams import MessageRate, StreamSettings
from resilience.streams.session.connection import Connection
from resilience.streams.session.dialect import Message, MessageKind
from resilience.streams.session.request import SocketRequest
from resilience.streams.session.steps import Send
from resilience.venues.server_clock import ServerClock
from tests.bitget.listening import TIMEOUT, EventLog, client_of, run

ORDER = {"instType": "SPOT", "instId": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}


def rest_of(exchange: Sandbox, *keys: str) -> AsyncBitgetClient:
    """Return a REST client; without keys it has the exchange's own credentials."""
    return AsyncBitgetClient(*(keys or (exchange.key, exchange.secret, exchange.passphrase)), base_url=exchange.rest)


@pytest.mark.parametrize("keys", [("", "", ""), ("another-key", "its-secret", "its-passphrase")])
def test_lookups_by_another_account_are_rejected(keys: tuple[str, str, str]) -> None:
    """Another account does not know the order, so its "not found" would have the order sent twice."""

    async def story(exchange: Sandbox) -> None:
        async with rest_of(exchange, *keys) as rest, client_of(exchange, rest=rest) as client:
            with pytest.raises(ValueError, match="same key as the socket"):
                await client.place_order(**ORDER)

    with Sandbox() as exchange:
        run(story(exchange))
        assert exchange.ledger() == {"orders": []}


def test_a_closed_client_rejects_at_once() -> None:
    """A closed client cannot reconnect: nothing is waited for, and the error says that nothing was sent."""

    async def story(exchange: Sandbox) -> Any:
        async with rest_of(exchange) as rest:
            async with client_of(exchange, rest=rest) as client:
                waiting = asyncio.create_task(client.place_order(**ORDER, clientOid="waiting"))
                await asyncio.sleep(0)  # it has begun, and is not logged in
            with pytest.raises(ConnectionError, match="closed") as late:
                await client.place_order(**ORDER, clientOid="late")
            with pytest.raises(ConnectionError, match="closed") as early:
                await waiting
            return failure_of(early.value), failure_of(late.value)

    with Sandbox() as exchange:
        for failure in run(story(exchange)):
            assert (failure.code, failure.category, failure.executed) == ("client_closed", "fatal", "no")
            assert failure.attempts == 1
        assert exchange.ledger() == {"orders": []}


@pytest.mark.parametrize(("code", "action"), [("40009", "stops"), ("30007", "connects again")])
def test_an_error_that_ends_the_socket_reaches_its_listeners(code: str, action: str) -> None:
    """The caller gets the error, and listeners get one exception event that says why the stream stops."""

    async def story(exchange: Sandbox) -> Any:
        async with rest_of(exchange) as rest, client_of(exchange, rest=rest) as client:
            log = EventLog(client)
            await client.place_order(**ORDER)
            exchange.sockets.fault(f"trade_error:{code}")
            placed = asyncio.create_task(client.place_order(**ORDER))
            failures = await log.wait_for("exception")
            await asyncio.wait([placed])
            placed.exception()
            return failures

    with Sandbox() as exchange:
        (failure,) = run(story(exchange))
    assert (failure.code, failure.action_text.startswith(action)) == (code, True)


def test_queued_requests_wait_for_a_new_login() -> None:
    """A connection that must log in again sends nothing else before the login is accepted."""

    async def story() -> None:
        link = Connection(1, DialectV2("k", "s", "p"), StreamSettings(), 0.0, None)
        link.open(0.0)
        link.enqueue(SocketRequest("1", "the order", lambda: None))
        link.login(1538054050.0, 0.0)
        (login,) = link.next_frames({}, 0.0)
        assert isinstance(login, Send)
        assert login.request is None
        assert link.next_frame_at({}) > 0.0
        link.ready, link.login_at = True, None
        assert [step.text for step in link.next_frames({}, 0.0) if isinstance(step, Send)] == ["the order"]

    run(story())


def test_an_answer_with_another_client_id_is_not_believed() -> None:
    """Its frame has the right id and another `clientOid`: the order is looked up and placed again."""

    async def story(exchange: Sandbox) -> tuple[Any, list[str]]:
        client_ids, frames = ["somebody-elses", "mine"], DialectV2()

        async def request(frame_id: str, _text: str, leaving: Callable[[], None]) -> Message:
            leaving()
            arg = {"id": frame_id, "params": {"orderId": "9", "clientOid": client_ids.pop(0)}}
            return Message(MessageKind.TRADE, {"event": "trade", "code": 0, "arg": [arg]})

        async with rest_of(exchange) as rest:
            pipeline = Policies.load(exchange.policy).pipeline("bitget")
            orders = SocketOrders(frames, request, rest, pipeline, rest.clock, OperationInfo(operation=""))
            return await orders.place(**ORDER, clientOid="mine"), client_ids

    with Sandbox(window=2.0) as exchange:
        assert run(story(exchange)) == ({"orderId": "9", "clientOid": "mine"}, [])


def test_a_client_that_is_closed_at_once_ends_at_once() -> None:
    """Handlers get the end of the client even if they have not begun to wait."""

    async def story() -> None:
        client = WebsocketClientV2()
        client.start()
        async with asyncio.timeout(TIMEOUT):
            await client.close(patience=1000.0)

    run(story())


def test_the_clock_is_measured_anew_after_a_sleep() -> None:
    """The monotonic clock stops while the machine sleeps, so a fence by the old measurement would end too early."""

    async def story(exchange: Sandbox) -> list[int]:
        requests: list[int] = []
        wall, monotonic = [exchange.now()], [1000.0]
        async with rest_of(exchange) as rest, client_of(exchange, rest=rest) as client:
            rest.clock = client._server_clock = ServerClock(lambda: wall[0], lambda: monotonic[0])
            measured = rest.server_time

            async def server_time() -> float:
                requests.append(1)
                return await measured()

            vars(rest)["server_time"] = server_time
            for wall_s, monotonic_s in ((0, 0), (2, 2), (60, 0), (0, 0), (0, 0), (7200, 7200)):
                wall[0] += wall_s
                monotonic[0] += monotonic_s
                await client.place_order(**ORDER)
                requests.append(0)
        return requests

    with Sandbox(window=30.0) as exchange:
        assert run(story(exchange)) == [1, 0, 0, 1, 0, 0, 0, 1, 0]


def test_no_credentials_in_the_log_of_the_library(caplog: pytest.LogCaptureFixture) -> None:
    """`websockets` logs frames at debug level, and the first frame is the login."""
    with caplog.at_level(logging.DEBUG):

        async def story(exchange: Sandbox) -> None:
            async with rest_of(exchange) as rest, client_of(exchange, rest=rest) as client:
                await client.place_order(**ORDER)

        with Sandbox() as exchange:
            run(story(exchange))
    mine = [record.getMessage() for record in caplog.records if not record.name.startswith("websockets.server")]
    assert not [text for text in mine if "sandbox-key" in text or "login" in text]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": float("nan")}, "not JSON compliant"),
        ({"size": object()}, "not JSON serializable"),
        ({"instId": ""}, "instId: expected a string"),
        ({"clientOid": "x" * 4000}, "4096 bytes"),
    ],
)
def test_an_order_that_cannot_be_written_was_not_sent(wrong: dict[str, Any], words: str) -> None:
    """It fails at once, and its error says that nothing was executed."""

    async def story(exchange: Sandbox) -> Any:
        async with rest_of(exchange) as rest, client_of(exchange, rest=rest) as client:
            with pytest.raises((ValueError, TypeError), match=words) as caught:
                await client.place_order(**{**ORDER, **wrong})
            return failure_of(caught.value)

    with Sandbox() as exchange:
        assert run(story(exchange)).executed == "no"
        assert exchange.sockets.connects == 0


def test_queued_orders_wait_for_the_next_connection() -> None:
    """A connection that ends before an order was sent costs that order no attempt."""

    async def story(exchange: Sandbox) -> Any:
        limits = StreamSettings(frames=MessageRate(rate=20, burst=2))
        async with rest_of(exchange) as rest, client_of(exchange, rest=rest, limits=limits) as client:
            await client.place_order(**ORDER)
            left = asyncio.Event()
            frames = [client._dialect.trade(str(number), "place-order", ORDER) for number in range(6)]
            requests = [
                asyncio.create_task(client.request("private", str(number), frame, left.set))
                for number, frame in enumerate(frames)
            ]
            await left.wait()
            exchange.sockets.fault("drop")
            return await asyncio.gather(*requests, return_exceptions=True)

    with Sandbox(limits=False) as exchange:
        answers = run(story(exchange))
    lost = [answer for answer in answers if isinstance(answer, Exception)]
    assert {type(error) for error in lost} <= {ConnectionResetError}
    assert len(lost) < 3


class Laptop:
    """The machine's clock, whose wall clock alone moves on while it sleeps."""

    def __init__(self) -> None:
        self._machine = Policies.builtin().pipeline().clock
        self.slept = 0.0
        self.monotonic, self.sleep, self.asleep = self._machine.monotonic, self._machine.sleep, self._machine.asleep

    def time(self) -> float:
        """Return the Unix time."""
        return self._machine.time() + self.slept


def test_an_order_that_waits_for_the_login_when_the_machine_sleeps() -> None:
    """It is not sent hours after its deadline: nothing was sent, and the next order is."""

    async def story(exchange: Sandbox) -> list[str]:
        clock = Laptop()
        policies = Policies.load(exchange.policy, clock=clock)
        keys = exchange.key, exchange.secret, exchange.passphrase
        async with rest_of(exchange) as rest:
            options: Any = {"base_url": exchange.ws, "policies": policies, "rest": rest}
            async with WebsocketClientV2(*keys, **options) as client:
                waiting = asyncio.create_task(client.place_order(**ORDER, clientOid="late"))
                await asyncio.sleep(0)  # it has begun, and is not logged in
                clock.slept = 8 * 3600.0
                with pytest.raises(DeadlineExceededError) as caught:
                    await waiting
                assert failure_of(caught.value).executed == "no"
                await client.place_order(**ORDER, clientOid="in time")
        return [order["clientOid"] for order in exchange.ledger()["orders"]]

    with Sandbox() as exchange:
        assert run(story(exchange)) == ["in time"]
