"""Orders through ccxt are executed exactly once, or reported as unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest

from resilience import NOT_FOUND, Found, Policies, failure_of, wrap
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox
from resilience.testing import FakeClock

SPOT = "BTC/USDT"
COST = {"cost": 50, "clientOrderId": "mine"}


def without_proof() -> Policies:
    """Return policies whose clock is fake, so that the deadline passes at once while no lookup succeeds."""
    return Policies.from_mapping({"policies": {"short": {"extends": "bitget", "deadline": "60s"}}}, clock=FakeClock())


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange with a short stamp window."""
    with Sandbox(window=2.0, limits=False) as running:
        yield running


def only_first(policies: Policies, exchange: Sandbox) -> None:
    """End the faults with the first failed attempt."""
    policies.subscribe(lambda event: exchange.set_faults() if event.name == "attempt_failed" else None)


def executions(exchange: Sandbox) -> list[int]:
    """Return how often each client id was executed."""
    exchange.settle()
    return [row["executions"] for row in exchange.ledger()["orders"]]


@pytest.mark.parametrize(
    "fault", ["accept_drop", "accept_500", "accept_40725", pytest.param("accept_late", marks=pytest.mark.slow), "lag"]
)
def test_an_order_whose_response_is_lost_is_found(bots: Any, exchange: Sandbox, fault: str) -> None:
    """It was executed: the caller gets it in ccxt's own shape, and nothing is sent twice."""
    exchange.set_faults(rates={fault: 1.0})
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    order = bots.call(bot.create_order, SPOT, "market", "buy", 1, None, COST)
    assert (order["clientOrderId"], order["status"], order["symbol"]) == ("mine", "closed", SPOT)
    assert order["id"] == exchange.ledger()["orders"][0]["orderId"]
    assert executions(exchange) == [1]


@pytest.mark.parametrize(
    "fault",
    ["lose", *(pytest.param(name, marks=pytest.mark.slow) for name in ("refuse_40725", "refuse_503")), "refuse_429"],
)
def test_an_order_that_was_not_executed_is_sent_again(bots: Any, exchange: Sandbox, fault: str) -> None:
    """After the fence, with the same key."""
    policies = Policies.load(exchange.policy)
    exchange.set_faults(rates={fault: 1.0})
    only_first(policies, exchange)
    bot = wrap(bots.plain(exchange), "bitget", policies=policies)
    order = bots.call(bot.create_order, SPOT, "limit", "sell", 0.01, 70_000, {"clientOrderId": "mine"})
    assert order["clientOrderId"] == "mine"
    assert executions(exchange) == [1]


def test_what_cannot_be_looked_up_is_unknown(bots: Any, exchange: Sandbox) -> None:
    """The error is ccxt's own; its failure carries the key and says maybe."""
    exchange.set_faults(rates={"accept_drop": 1.0, "query_drop": 1.0})
    bot = wrap(bots.plain(exchange), "short", policies=without_proof())
    with pytest.raises(ccxt.NetworkError) as caught:
        bots.call(bot.create_order, SPOT, "market", "buy", 1, None, COST)
    failure = failure_of(caught.value)
    assert (failure.executed, failure.key) == ("maybe", "mine")
    assert "mine" in failure.remedy


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("create_market_buy_order_with_cost", (SPOT, 50)),
        ("create_limit_buy_order", (SPOT, 0.01, 30_000)),
        ("create_limit_order", (SPOT, "sell", 0.01, 70_000)),
        ("createMarketSellOrder", (SPOT, 0.01)),
        ("privateSpotPostV2SpotTradePlaceOrder", ()),
    ],
)
def test_every_way_to_create_an_order(bots: Any, exchange: Sandbox, name: str, args: tuple[Any, ...]) -> None:
    """Each has a key and is found again, whatever the names of its parameters."""
    exchange.set_faults(rates={"accept_drop": 1.0})
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    raw = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
    order = bots.call(getattr(bot, name), *(args or (raw,)))
    order_id = order["data"]["orderId"] if "data" in order else order["id"]
    assert order_id == exchange.ledger()["orders"][0]["orderId"]
    assert executions(exchange) == [1]


def test_a_key_by_its_native_name(bots: Any, exchange: Sandbox) -> None:
    """Ccxt's bitget takes `clientOid` as well; the lookup uses it."""
    exchange.set_faults(rates={"accept_drop": 1.0})
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    order = bots.call(bot.create_order, SPOT, "market", "buy", 1, None, {"cost": 50, "clientOid": "mine"})
    assert (order["clientOrderId"], executions(exchange)) == ("mine", [1])


def test_two_keys_are_one_too_many(bots: Any, exchange: Sandbox) -> None:
    """The id that would be sent differs from the one that would be looked up: nothing is sent."""
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    with pytest.raises(ccxt.BadRequest, match="the key of this call is 'mine'") as caught:
        bots.call(bot.create_order, SPOT, "market", "buy", 1, None, {**COST, "clientOid": "other"})
    assert (failure_of(caught.value).executed, exchange.requests) == ("no", 0)


def test_another_order_under_the_same_key(bots: Any, exchange: Sandbox) -> None:
    """The order that is found has other fields: whether ours was executed is unknown, and it is not sent again."""
    plain = bots.plain(exchange)
    bots.call(plain.create_order, SPOT, "limit", "buy", 0.01, 30_000, {"clientOrderId": "mine"})
    exchange.set_faults(rates={"refuse_503": 1.0})
    bot = wrap(plain, "bitget", policies=Policies.load(exchange.policy))
    with pytest.raises(ccxt.ExchangeNotAvailable) as caught:
        bots.call(bot.create_order, SPOT, "limit", "sell", 0.02, 70_000, {"clientOrderId": "mine"})
    assert failure_of(caught.value).executed == "maybe"
    assert executions(exchange) == [1]


def test_cancels_return_the_state_of_the_order(bots: Any, exchange: Sandbox) -> None:
    """A cancel whose response is lost and a cancel of a canceled order both return it as canceled."""
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    order = bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000)
    assert bots.call(bot.fetch_order, order["id"], SPOT)["status"] == "open"
    exchange.set_faults(rates={"accept_drop": 1.0})
    assert bots.call(bot.cancel_order, order["id"], SPOT)["status"] == "canceled"
    exchange.set_faults()
    again = bots.call(bot.cancel_order_with_client_order_id, order["clientOrderId"], SPOT)
    assert (again["id"], again["status"]) == (order["id"], "canceled")


@pytest.mark.parametrize("offset", [40.0, -40.0])
def test_a_clock_that_is_off(bots: Any, offset: float) -> None:
    """The rejection of the stamp has the exchange's time: the order is signed again at once, and later ones by it."""
    with Sandbox(limits=False) as exchange:
        exchange.clock_offset = offset
        policies = Policies.load(exchange.policy)
        events: list[tuple[str, float | None]] = []
        policies.subscribe(lambda event: events.append((event.name, event.wait_for)))
        bot = wrap(bots.plain(exchange), "bitget", policies=policies)
        for _ in range(2):
            bots.call(bot.create_order, SPOT, "market", "buy", 1, None, {"cost": 50})
        assert events == [("attempt_failed", 0.0), ("call_recovered", None)]
        assert executions(exchange) == [1, 1]


def test_an_outbox_finds_the_order_of_an_earlier_process(bots: Any, exchange: Sandbox, tmp_path: Any) -> None:
    """The lookup uses the stored arguments: nothing of the first process is needed."""
    exchange.set_faults(rates={"accept_drop": 1.0, "query_drop": 1.0})
    outbox = Outbox(tmp_path / "bot.db")
    bot = wrap(bots.plain(exchange), "short", policies=without_proof(), outbox=outbox)
    with pytest.raises(ccxt.NetworkError):
        bots.call(bot.create_order, SPOT, "market", "buy", 1, None, COST)
    exchange.set_faults()
    fresh = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy), outbox=outbox)
    resumed = bots.call(outbox.aresume, fresh) if bots.asynchronous else outbox.resume(fresh)
    outbox.close()
    assert [(write.outcome, write.value["clientOrderId"]) for write in resumed] == [("done", "mine")]
    assert executions(exchange) == [1]


ORDER = {"orderId": 7, "clientOrderId": "mine", "symbol": "BTCUSDT", "status": "NEW", "side": "BUY", "type": "LIMIT"}


def sync_or_async(bots: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function, async if the bot is."""

    async def function_async(*args: Any) -> Any:
        return function(*args)

    return function_async if bots.asynchronous else function


def test_an_exchange_without_support(bots: Any, api: Any) -> None:
    """Its orders have the caller's key or none, and an uncertain one is not sent again."""
    api.on("/order", "drop")
    bot = wrap(bots.plain(api, "binanceus"), "ccxt", policies=Policies.builtin())
    with pytest.raises(ccxt.NetworkError) as caught:
        bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000, {"clientOrderId": "mine"})
    failure = failure_of(caught.value)
    assert (failure.executed, failure.attempts, len(api.sent_to("/order"))) == ("maybe", 1, 1)
    assert api.sent_to("/order")[0]["newClientOrderId"] == failure.key == "mine"
    with pytest.raises(ccxt.NetworkError) as caught:
        bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000)
    assert failure_of(caught.value).key is None


def test_a_custom_reconciler(bots: Any, api: Any) -> None:
    """Passed in `operations`, for any exchange; a key that is named there travels in `params`."""
    api.on("/order", "drop", "drop", ORDER)
    calls: list[str] = []

    def reconcile(call: Any) -> Any:
        calls.append(call.key)
        return Found({"id": "7"}) if len(calls) > 2 else NOT_FOUND

    rule = {"key": "clientOrderId", "reconcile": sync_or_async(bots, reconcile)}
    policies = Policies.from_mapping(
        {"policies": {"mine": {"extends": "ccxt", "reconcile": {"early_checks": 9, "wait": "1ms", "fence": "1ms"}}}}
    )
    bot = wrap(bots.plain(api, "binanceus"), "mine", operations={"create_order": rule}, policies=policies)
    order = bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000, {"clientOrderId": "mine"})
    assert order["id"] == "7"
    assert set(calls) == {"mine"}
