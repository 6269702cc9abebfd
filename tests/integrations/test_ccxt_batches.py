"""Each order of a batch is executed exactly once and reported truly, whatever becomes of the one request for all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import ccxt
import pytest

from resilience import Policies, failure_of, wrap
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox

pytestmark = [pytest.mark.newest_versions, pytest.mark.full]

SWAP = "BTC/USDT:USDT"
BOUNDS = {"window": "400ms", "stamp_window": "400ms", "processing": "100ms", "lag": "100ms", "wait": "50ms"}


class Bot:
    """A wrapped exchange at a sandbox of its venue, whose calls return what a sync one returns."""

    def __init__(self, exchange: Sandbox, kind: str, outbox: Outbox | None) -> None:
        policy = {"extends": "ccxt", "reconcile": BOUNDS, "attempt_timeout": "2s", "deadline": "20s"}
        policies = Policies.from_mapping({"policies": {"short": policy}}, log=False)
        cls = getattr(import_module("ccxt" if kind == "sync" else "ccxt.async_support"), exchange.venue)
        self.exchange, self.policies = exchange, policies
        self.wrapped: Any = wrap(
            exchange.point(cls({"enableRateLimit": False})), "short", policies=policies, outbox=outbox
        )
        self.runner = asyncio.Runner() if kind == "async" else None
        self.call("load_markets")

    def call(self, name: str, *args: Any) -> Any:
        """Call a method of the exchange."""
        if self.runner is None:
            return getattr(self.wrapped, name)(*args)

        async def call() -> Any:
            return await getattr(self.wrapped, name)(*args)

        return self.runner.run(call())

    def resume(self, outbox: Outbox) -> list[Any]:
        """Resume the writes of an outbox."""
        return outbox.resume(self.wrapped) if self.runner is None else self.runner.run(outbox.aresume(self.wrapped))

    def executions(self) -> dict[str, int]:
        """Return how often each client id was executed."""
        self.exchange.settle()
        return {row["clientOid"]: row["executions"] for row in self.exchange.ledger()["orders"]}

    def close(self) -> None:
        """Close the exchange's sessions."""
        if self.runner is not None:
            self.call("close")
            self.runner.close()


@pytest.fixture(params=["binance", "bybit", "okx"])
def venue(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox(venue=request.param, limits=False) as exchange:
        yield exchange


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An outbox."""
    with Outbox(tmp_path / "bot.db") as box:
        yield box


@pytest.fixture(params=["sync", "async"])
def bot(request: pytest.FixtureRequest, venue: Sandbox, outbox: Outbox) -> Iterator[Bot]:
    """A wrapped exchange whose orders are recorded."""
    bot = Bot(venue, request.param, outbox)
    yield bot
    bot.close()


def order(key: str = "", **fields: Any) -> dict[str, Any]:
    """Return an order that stays open."""
    params = {"params": {"clientOrderId": key}} if key else {}
    return {"symbol": SWAP, "type": "limit", "side": "buy", "amount": 1, "price": 50_000, **params, **fields}


def states(outbox: Outbox) -> dict[str, str]:
    """Return the state of each write."""
    return {row.key: row.state for state in ("open", "done", "failed") for row in outbox.rows(state)}  # type: ignore[arg-type]


def results_of(caught: pytest.ExceptionInfo[Any]) -> list[Any]:
    """Return the client ids of the orders that were placed, and the errors in place of the others."""
    return [one if isinstance(one, Exception) else one["clientOrderId"] for one in caught.value.results]


@pytest.mark.parametrize("fault", ["", "accept_drop", "lose", "accept_500", "refuse_503", "refuse_429", "unclear_late"])
def test_every_order_is_executed_once(bot: Bot, outbox: Outbox, fault: str) -> None:
    """The answer is lost, or the request, or the answer says nothing: the orders come back in the order given."""
    bot.exchange.script("c", [fault])
    placed = bot.call("create_orders", [order("c"), order("a"), order("b")])
    assert [(one["clientOrderId"], bool(one["id"])) for one in placed] == [("c", True), ("a", True), ("b", True)]
    assert bot.executions() == {"a": 1, "b": 1, "c": 1}
    assert states(outbox) == {"a": "done", "b": "done", "c": "done"}
    assert bot.policies.snapshot()["writes_in_doubt"] == []


def test_one_of_three_is_refused(bot: Bot, outbox: Outbox) -> None:
    """The error has the two orders and the reason of the third, in the order given."""
    with pytest.raises(ccxt.ExchangeError) as caught:
        bot.call("create_orders", [order("a"), order("large", amount=1e9), order("b")])
    failure, (first, refused, last) = failure_of(caught.value), results_of(caught)
    assert (first, last, failure.executed, len(failure.items)) == ("a", "b", "maybe", 1)
    assert (failure_of(refused).executed, failure.items[0].key, failure.items[0].executed) == ("no", "large", "no")
    assert "of 3 orders 2 are done, 1 did not happen and 0 are unknown" in failure.remedy
    assert bot.executions() == {"a": 1, "b": 1}
    assert states(outbox) == {"a": "done", "b": "done", "large": "failed"}


def test_a_batch_that_cannot_be_recorded_leaves_no_order_behind(bot: Bot, outbox: Outbox) -> None:
    """Its caller hears that nothing was sent: no later `resume` may send the orders that were recorded already."""

    class Amount(float):
        pass

    with pytest.raises(TypeError, match="cannot store"):
        bot.call("create_orders", [order("a"), order("b", amount=Amount(1))])
    assert states(outbox) == {"a": "failed"}
    assert (bot.resume(outbox), bot.executions()) == ([], {})


def test_an_outbox_that_is_locked_after_the_batch_was_sent_proves_nothing(
    bot: Bot, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stamps are stored: what another program does with the file meanwhile must not look like an unsent order."""
    store = vars(outbox)["_store"]
    set_stamps, stored = store.set_stamps, []

    with closing(sqlite3.connect(tmp_path / "bot.db", isolation_level=None)) as backup:

        def set_stamps_and_lock(held: Any, stamps: Any) -> None:
            set_stamps(held, stamps)
            stored.append(held)
            if len(stored) == 2:
                backup.execute("BEGIN IMMEDIATE")

        monkeypatch.setattr(store, "set_stamps", set_stamps_and_lock)
        bot.exchange.script("a", ["accept_drop"])
        placed = bot.call("create_orders", [order("a"), order("b")])
    assert [one["clientOrderId"] for one in placed] == ["a", "b"]
    assert (bot.executions(), states(outbox)) == ({"a": 1, "b": 1}, {"a": "done", "b": "done"})


def test_all_are_refused(bot: Bot, outbox: Outbox) -> None:
    """Nothing was executed, and nothing may have been."""
    with pytest.raises(ccxt.ExchangeError) as caught:
        bot.call("create_orders", [order("a", amount=1e9), order("b", amount=1e9)])
    failure = failure_of(caught.value)
    assert (failure.executed, [item.key for item in failure.items], bot.executions()) == ("no", ["a", "b"], {})
    assert states(outbox) == {"a": "failed", "b": "failed"}


def test_unknown_orders_stay_open_in_the_outbox(venue: Sandbox, outbox: Outbox) -> None:
    """The error says so for each, the outbox keeps them, and `resume` settles them later."""
    bot = Bot(venue, "sync", outbox)
    bot.exchange.script("a", ["accept_drop"])
    for key in ("a", "b"):
        bot.exchange.script(f"query:{key}", ["query_drop"] * 1000)
    bot.policies = Policies.from_mapping({})
    with pytest.raises(ccxt.NetworkError) as caught:
        bot.call("create_orders", [order("a"), order("b")])
    failure = failure_of(caught.value)
    assert (failure.executed, [failure_of(one).executed for one in results_of(caught)]) == ("maybe", ["maybe"] * 2)
    assert states(outbox) == {"a": "open", "b": "open"}
    for key in ("a", "b"):
        bot.exchange.script(f"query:{key}", [])
    assert [(one.key, one.outcome) for one in bot.resume(outbox)] == [("a", "done"), ("b", "done")]
    assert bot.executions() == {"a": 1, "b": 1}


def test_orders_without_a_client_id_get_one(bot: Bot) -> None:
    """One for each order, of a shape that the venue takes; the caller's own mappings stay as they are."""
    given = [order(), order()]
    placed = bot.call("create_orders", given)
    assert sorted(bot.executions()) == sorted(one["clientOrderId"] for one in placed)
    assert given == [order(), order()]


def test_two_orders_with_one_client_id(bot: Bot) -> None:
    """Nobody could tell them apart: nothing is sent."""
    with pytest.raises(ccxt.BadRequest, match="two orders of this batch have the client order id 'a'"):
        bot.call("create_orders", [order("a"), order("a")])
    with pytest.raises(ccxt.BadRequest, match="would reject 'a b'"):
        bot.call("create_orders", [order("a b"), order("c")])
    assert bot.executions() == {}


def test_cancels(bot: Bot) -> None:
    """Those that are refused because the order has ended are looked up, and its end is reported."""
    ids = [one["id"] for one in bot.call("create_orders", [order("a"), order("b"), order("c")])]
    bot.call("cancel_order", ids[1], SWAP)
    ended = bot.call("cancel_orders", ids, SWAP)
    assert [one["id"] for one in ended] == ids
    assert ended[1]["status"] == "canceled"


def test_cancels_by_client_id(bot: Bot) -> None:
    """Cancels take lists of client ids too, by other names on each exchange."""
    name = "clientOrderId" if bot.exchange.venue == "okx" else "clientOrderIds"
    bot.call("create_orders", [order("a"), order("b")])
    single = "orderLinkId" if bot.exchange.venue == "bybit" else "clientOrderId"
    bot.call("cancel_order", None, SWAP, {single: "b"})
    ended = bot.call("cancel_orders", [], SWAP, {name: ["a", "b"]})
    assert (len(ended), ended[1]["clientOrderId"], ended[1]["status"]) == (2, "b", "canceled")


def test_cancels_of_several_markets(bot: Bot) -> None:
    """`cancel_orders_for_symbols`, where the exchange has it."""
    if not bot.wrapped.has.get("cancelOrdersForSymbols"):
        pytest.skip("the exchange has no such method")
    placed = bot.call("create_orders", [order("a"), order("b")])
    bot.call("cancel_order", placed[0]["id"], SWAP)
    ended = bot.call("cancel_orders_for_symbols", [{"id": one["id"], "symbol": SWAP} for one in placed])
    assert [one["id"] for one in ended] == [one["id"] for one in placed]


def test_amendments(bot: Bot) -> None:
    """One of an order that has ended does not hide what became of the other."""
    if not bot.wrapped.has.get("editOrders"):
        pytest.skip("the exchange has no such method")
    placed = bot.call("create_orders", [order("a"), order("b")])
    changes = [{**order(price=49_000), "id": one["id"]} for one in placed]
    assert [one["id"] for one in bot.call("edit_orders", changes)] == [one["id"] for one in placed]
    bot.call("cancel_order", placed[0]["id"], SWAP)
    with pytest.raises(ccxt.BaseError) as caught:
        bot.call("edit_orders", [{**one, "price": 48_000} for one in changes])
    refused, changed = caught.value.results  # type: ignore[attr-defined]  # ours
    assert (isinstance(refused, Exception), changed["id"]) == (True, placed[1]["id"])
    assert failure_of(caught.value).items[0].key is None


def test_a_batch_that_is_interrupted(venue: Sandbox, outbox: Outbox) -> None:
    """A cancelled batch leaves its orders open in the outbox, and claims none of them any more."""
    bot = Bot(venue, "async", outbox)
    bot.exchange.script("a", ["accept_hang"])

    async def cancelled() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await bot.wrapped.create_orders([order("a"), order("b")])

    assert bot.runner is not None
    bot.runner.run(cancelled())
    assert states(outbox) == {"a": "open", "b": "open"}
    assert {one.outcome for one in bot.resume(outbox)} == {"done"}
    bot.close()


def test_an_order_that_is_only_checked_is_no_batch(venue: Sandbox) -> None:
    """Nor are arguments that no method takes: ccxt itself says what is wrong."""
    bot = Bot(venue, "sync", None)
    for wrong in ("all of them", None, []):
        with pytest.raises((AttributeError, TypeError, ccxt.BaseError)):
            bot.call("create_orders", wrong)
    assert bot.executions() == {}
    with pytest.raises(TypeError):
        bot.call("create_orders")
    assert bot.call("create_orders", [order() | {"params": 3}])[0]["id"]  # ccxt reads it as none


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("fault", ["", "accept_drop", "lose", "accept_500", "refuse_503", "unclear_late"])
def test_batches_of_bitget(kind: str, fault: str, outbox: Outbox) -> None:
    """Its answer lists the orders that failed apart from the others, so that each is found by its client id."""
    with Sandbox(limits=False) as exchange:
        bot = Bot(exchange, kind, outbox)
        exchange.script("b", [fault])
        spot = {"symbol": "BTC/USDT"}
        placed = bot.call("create_orders", [order("b", **spot), order("a", **spot)])
        assert [one["clientOrderId"] for one in placed] == ["b", "a"]
        assert (bot.executions(), states(outbox)) == ({"a": 1, "b": 1}, {"a": "done", "b": "done"})
        with pytest.raises(ccxt.ExchangeError) as caught:
            bot.call("create_orders", [order("large", **spot, amount=1e9), order("c", **spot)])
        assert [failure_of(results_of(caught)[0]).executed, results_of(caught)[1]] == ["no", "c"]
        assert states(outbox) == {"a": "done", "b": "done", "c": "done", "large": "failed"}
        bot.close()
