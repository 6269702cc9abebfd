"""Answers to orders over the socket: which of them confirm the order, and what a rejected stamp leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from resilience import Pipeline, Policy, failure_of
from resilience._core.call.operation_info import OperationInfo
from resilience.bitget.dialect_v2 import DialectV2
from resilience.bitget.dialect_v3 import DialectV3
from resilience.bitget.socket_orders import SocketOrders
from resilience.streams.session.dialect import Message, MessageKind
from resilience.testing import FakeClock
from resilience.venues.server_clock import ServerClock
from tests.bitget.listening import run

SPOT = {"instType": "SPOT", "instId": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
FUTURES = {**SPOT, "instType": "USDT-FUTURES"}
UTA = {"category": "spot", "symbol": "BTCUSDT", "side": "buy", "orderType": "market", "qty": "50"}
ORDERS = {"spot": (DialectV2, SPOT), "futures": (DialectV2, FUTURES), "unified": (DialectV3, UTA)}
POLICY = Policy(codes=("bitget-ws", "bitget", "http"), deadline=30.0, retry={"max_attempts": 1})


class Rest:
    """A REST client whose clock is that of the exchange, and whose lookups find nothing out."""

    def __init__(self, *times: Any) -> None:
        self.clock = ServerClock(lambda: 0.0)
        self.times = list(times) or [1_700_000_000.0]
        self.measured = 0
        self.lookups: list[str] = []

    async def server_time(self) -> float:
        """Return the next of the exchange's times, or raise it."""
        time = self.times[min(self.measured, len(self.times) - 1)]
        self.measured += 1
        if isinstance(time, Exception):
            raise time
        return float(time)

    async def get(self, path: str, _params: Mapping[str, Any]) -> Any:
        """Fail: the lookup gets no answer."""
        self.lookups.append(path)
        raise ConnectionError("no answer to the lookup")


class Socket:
    """A socket whose answers are scripted: ids of an order, or the code of a rejection."""

    def __init__(self, kind: type, *answers: Any) -> None:
        self.dialect: Any = kind("a-key", "a-secret", "some-words")
        self.answers, self.frames = list(answers), []  # type: ignore[var-annotated]

    async def request(self, request_id: str, text: str, on_send: Callable[[], None]) -> Message:
        """Record a frame and return its answer."""
        self.frames.append(text)
        on_send()
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            body = {"event": "error", "id": request_id, "code": answer, "msg": "rejected"}
            return Message(MessageKind.ERROR, body, code=answer, text="rejected", request=request_id)
        body = {"args": [answer]} if isinstance(self.dialect, DialectV3) else {"arg": [{"params": answer}]}
        return Message(MessageKind.TRADE, {"event": "trade", **body}, request=request_id)


def place(socket: Socket, rest: Rest, order: Mapping[str, Any], *, action: str = "place", **settings: Any) -> Any:
    """Place or cancel an order, and return its result or its error."""
    pipeline = Pipeline(Policy(**{**vars_of(POLICY), **settings}), clock=FakeClock(wall=1_700_000_000.0))
    orders = SocketOrders(socket.dialect, socket.request, rest, pipeline, rest.clock, OperationInfo(operation=""))

    async def story() -> Any:
        try:
            return await getattr(orders, action)(**order)
        except Exception as error:
            return error

    return run(story())


def vars_of(policy: Policy) -> dict[str, Any]:
    """Return the settings of the policy that the tests change."""
    return {"codes": policy.codes, "deadline": policy.deadline, "retry": policy.retry}


@pytest.fixture(params=ORDERS)
def market(request: Any) -> tuple[type, Mapping[str, Any]]:
    """The dialect of a market, and an order there."""
    return ORDERS[request.param]


def test_the_answer_of_our_order_is_returned(market: Any) -> None:
    """It has the order's id and repeats our own."""
    kind, order = market
    ids = {"orderId": "7", "clientOid": "mine"}
    assert place(Socket(kind, ids), Rest(), {**order, "clientOid": "mine"}) == ids


@pytest.mark.parametrize(
    "ids", [{"orderId": "8", "clientOid": "another"}, {"clientOid": "mine"}, {"orderId": None, "clientOid": "mine"}, {}]
)
def test_an_answer_that_does_not_confirm_our_order_is_uncertain(market: Any, ids: Any) -> None:
    """Another order's ids, or none, leave the outcome open, and it is looked up."""
    kind, order = market
    rest = Rest()
    error = place(Socket(kind, ids), rest, {**order, "clientOid": "mine"})
    failure = failure_of(error)
    assert (failure.executed, failure.key, bool(rest.lookups)) == ("maybe", "mine", True)


def test_a_cancel_is_not_confirmed_by_another_order(market: Any) -> None:
    """The answer repeats the id of the order to cancel."""
    kind, order = market
    market_only = {name: order[name] for name in ("instType", "instId", "category", "symbol") if name in order}
    ours = place(Socket(kind, {"orderId": "7"}), Rest(), {**market_only, "orderId": "7"}, action="cancel")
    error = place(Socket(kind, {"orderId": "8"}), Rest(), {**market_only, "orderId": "7"}, action="cancel")
    assert ours == {"orderId": "7"}
    assert failure_of(error).executed == "maybe"


@pytest.mark.parametrize("code", ["40008", "30014"])
def test_a_rejected_stamp_measures_the_clock_and_sends_once_more(market: Any, code: str) -> None:
    """The exchange's time is queried again, and the next attempt goes out at once."""
    kind, order = market
    socket, rest = Socket(kind, code, {"orderId": "7", "clientOid": "mine"}), Rest()
    result = place(socket, rest, {**order, "clientOid": "mine"}, retry={"max_attempts": 2})
    assert (result["orderId"], len(socket.frames), rest.measured) == ("7", 2, 2)


def test_a_rejected_stamp_is_raised_if_the_time_cannot_be_queried(market: Any) -> None:
    """The caller gets the rejection and not the error of the query."""
    kind, order = market
    rest = Rest(1_700_000_000.0, ConnectionError("no time"))
    error = place(Socket(kind, "40008"), rest, {**order, "clientOid": "mine"})
    assert (failure_of(error).code, failure_of(error).executed, rest.measured) == ("40008", "no", 2)


def test_an_order_is_not_sent_while_the_time_is_not_known(market: Any) -> None:
    """The error says that nothing was executed, so nothing is looked up."""
    kind, order = market
    socket, rest = Socket(kind), Rest(TimeoutError("no time"))
    error = place(socket, rest, {**order, "clientOid": "mine"})
    assert (failure_of(error).executed, socket.frames, rest.lookups) == ("no", [], [])


def test_a_client_id_that_bitget_would_reject_is_not_sent(market: Any) -> None:
    """The error names the parameter."""
    kind, order = market
    socket, rest = Socket(kind), Rest()
    error = place(socket, rest, {**order, "clientOid": "a&b"})
    assert "clientOid: Bitget would reject" in str(error)
    assert (failure_of(error).executed, socket.frames, rest.lookups) == ("no", [], [])
