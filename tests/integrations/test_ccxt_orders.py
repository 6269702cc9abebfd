"""Orders through ccxt are executed exactly once, or the caller is told that it is not known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest

from resilience import NOT_FOUND, Found, Policies, failure_of, wrap
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox

SPOT = "BTC/USDT"
COST = {"cost": 50, "clientOrderId": "mine"}
SHORT = {"extends": "bitget", "deadline": "4s", "attempt_timeout": "1s", "reconcile": {"wait": "20ms"}}


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange with a short stamp window."""
    with Sandbox(window=0.5, limits=False) as running:
        yield running


def only_first(policies: Policies, exchange: Sandbox) -> None:
    """Let the faults end with the first failed attempt of an operation."""
    policies.subscribe(lambda event: exchange.set_faults() if event.name == "attempt_failed" else None)


def executions(exchange: Sandbox) -> list[int]:
    """Return how often each client id was executed."""
    exchange.settle()
    return [row["executions"] for row in exchange.ledger()["orders"]]


@pytest.mark.parametrize("fault", ["accept_drop", "accept_500", "accept_40725", "accept_late", "lag"])
def test_an_order_whose_answer_is_lost_is_found(bots: Any, exchange: Sandbox, fault: str) -> None:
    """It was executed: the caller gets it in ccxt's own shape, and nothing is sent twice."""
    exchange.set_faults(rates={fault: 1.0})
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    order = bots.call(bot.create_order, SPOT, "market", "buy", 1, None, COST)
    assert (order["clientOrderId"], order["status"], order["symbol"]) == ("mine", "closed", SPOT)
    assert order["id"] == exchange.ledger()["orders"][0]["orderId"]
    assert executions(exchange) == [1]


@pytest.mark.parametrize("fault", ["lose", "refuse_40725", "refuse_503", "refuse_429"])
def test_an_order_that_did_not_happen_is_sent_again(bots: Any, exchange: Sandbox, fault: str) -> None:
    """Past the fence, and with the same key."""
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
    bot = wrap(bots.plain(exchange), "short", policies=Policies.from_mapping({"policies": {"short": SHORT}}))
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
    """Each has a key of its own and is found again, whatever words it uses."""
    exchange.set_faults(rates={"accept_drop": 1.0})
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    raw = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "size": "50"}
    order = bots.call(getattr(bot, name), *(args or (raw,)))
    told = order["data"]["orderId"] if "data" in order else order["id"]
    assert told == exchange.ledger()["orders"][0]["orderId"]
    assert executions(exchange) == [1]


def test_a_key_by_its_native_name(bots: Any, exchange: Sandbox) -> None:
    """The bitget of ccxt takes `clientOid` as well; the look goes by it."""
    exchange.set_faults(rates={"accept_drop": 1.0})
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    order = bots.call(bot.create_order, SPOT, "market", "buy", 1, None, {"cost": 50, "clientOid": "mine"})
    assert (order["clientOrderId"], executions(exchange)) == ("mine", [1])


def test_two_keys_are_one_too_many(bots: Any, exchange: Sandbox) -> None:
    """Another id would be sent than the one that is looked up: nothing is sent."""
    bot = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy))
    with pytest.raises(ccxt.BadRequest, match="this call goes by 'mine'") as caught:
        bots.call(bot.create_order, SPOT, "market", "buy", 1, None, {**COST, "clientOid": "other"})
    assert (failure_of(caught.value).executed, exchange.requests) == ("no", 0)


def test_somebody_elses_order_is_no_find(bots: Any, exchange: Sandbox) -> None:
    """The key is pending with other fields: whether ours happened is unknown, and it is not sent again."""
    plain = bots.plain(exchange)
    bots.call(plain.create_order, SPOT, "limit", "buy", 0.01, 30_000, {"clientOrderId": "mine"})
    exchange.set_faults(rates={"refuse_503": 1.0})
    bot = wrap(plain, "bitget", policies=Policies.load(exchange.policy))
    with pytest.raises(ccxt.ExchangeNotAvailable) as caught:
        bots.call(bot.create_order, SPOT, "limit", "sell", 0.02, 70_000, {"clientOrderId": "mine"})
    assert failure_of(caught.value).executed == "maybe"
    assert executions(exchange) == [1]


def test_cancels_tell_what_became_of_the_order(bots: Any, exchange: Sandbox) -> None:
    """One whose answer is lost, and one of an order that is gone already, both say canceled."""
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
    """The refused stamp tells the exchange's time: the order is signed anew at once, and so is every later one."""
    with Sandbox(limits=False) as exchange:
        exchange.clock_offset = offset
        policies = Policies.load(exchange.policy)
        told: list[tuple[str, float | None]] = []
        policies.subscribe(lambda event: told.append((event.name, event.wait_for)))
        bot = wrap(bots.plain(exchange), "bitget", policies=policies)
        for _ in range(2):
            bots.call(bot.create_order, SPOT, "market", "buy", 1, None, {"cost": 50})
        assert told == [("attempt_failed", 0.0), ("call_recovered", None)]
        assert executions(exchange) == [1, 1]


def test_an_outbox_finds_the_order_of_an_earlier_process(bots: Any, exchange: Sandbox, tmp_path: Any) -> None:
    """The fields are drawn from the arguments that were kept: nothing of the first process is needed."""
    exchange.set_faults(rates={"accept_drop": 1.0, "query_drop": 1.0})
    outbox = Outbox(tmp_path / "bot.db")
    short = Policies.from_mapping({"policies": {"short": SHORT}})
    bot = wrap(bots.plain(exchange), "short", policies=short, outbox=outbox)
    with pytest.raises(ccxt.NetworkError):
        bots.call(bot.create_order, SPOT, "market", "buy", 1, None, COST)
    exchange.set_faults()
    fresh = wrap(bots.plain(exchange), "bitget", policies=Policies.load(exchange.policy), outbox=outbox)
    found = bots.call(outbox.areplay, fresh) if bots.asynchronous else outbox.replay(fresh)
    outbox.close()
    assert [(one.outcome, one.value["clientOrderId"]) for one in found] == [("done", "mine")]
    assert executions(exchange) == [1]


ORDER = {"orderId": 7, "clientOrderId": "mine", "symbol": "BTCUSDT", "status": "NEW", "side": "BUY", "type": "LIMIT"}


def of_colour(bots: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the bots' colour."""

    async def colored(*args: Any) -> Any:
        return function(*args)

    return colored if bots.asynchronous else function


def test_an_exchange_that_nothing_is_known_of(bots: Any, api: Any) -> None:
    """Its order has a key all the same, and one in doubt is not sent again."""
    api.on("/order", "drop")
    bot = wrap(bots.plain(api, "binance"), "ccxt", policies=Policies.builtin())
    with pytest.raises(ccxt.NetworkError) as caught:
        bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000)
    failure = failure_of(caught.value)
    assert (failure.executed, failure.attempts, len(api.asked("/order"))) == ("maybe", 1, 1)
    assert api.asked("/order")[0]["newClientOrderId"] == failure.key


def test_a_reconciler_of_ones_own(bots: Any, api: Any) -> None:
    """Given in `operations`, for any exchange; a key that is named there travels in `params`."""
    api.on("/order", "drop", "drop", ORDER)
    calls: list[str] = []

    def reconcile(call: Any) -> Any:
        calls.append(call.key)
        return Found({"id": "7"}) if len(calls) > 2 else NOT_FOUND

    rule = {"key": "clientOrderId", "reconcile": of_colour(bots, reconcile)}
    policies = Policies.from_mapping(
        {"policies": {"mine": {"extends": "ccxt", "reconcile": {"early_checks": 9, "wait": "1ms", "fence": "1ms"}}}}
    )
    bot = wrap(bots.plain(api, "binance"), "mine", operations={"create_order": rule}, policies=policies)
    order = bots.call(bot.create_order, SPOT, "limit", "buy", 0.01, 30_000, {"clientOrderId": "mine"})
    assert order["id"] == "7"
    assert set(calls) == {"mine"}
