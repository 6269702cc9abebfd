"""What a batch does not say of an order is never taken for a "no", and never for the answer to another order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from resilience import DeadlineExceededError, Policies, failure_of, wrap
from resilience.outbox import Outbox
from resilience.sandbox import Sandbox

pytestmark = [pytest.mark.newest_versions, pytest.mark.full]

SWAP = "BTC/USDT:USDT"
BOUNDS = {"window": "400ms", "stamp_window": "400ms", "processing": "100ms", "lag": "100ms", "wait": "50ms"}
BATCHES = {"binance": "batchOrders", "bybit": "create-batch", "okx": "batch-orders"}


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """An outbox."""
    with Outbox(tmp_path / "bot.db") as box:
        yield box


def bot(
    exchange: Sandbox,
    outbox: Outbox | None,
    change: Callable[[Any, Any], Any] | None = None,
    operations: dict[str, Any] | None = None,
    **own: Any,
) -> Any:
    """Return a wrapped exchange of which a function changes the answers to new batches, and its policies."""
    kind: Any = getattr(ccxt, exchange.venue)

    class Changed(kind):  # type: ignore[misc]  # ccxt has no types
        def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            answer = super().fetch(url, method, headers, body)
            is_batch = method == "POST" and BATCHES[exchange.venue] in url
            return change(self, answer) if is_batch and change is not None else answer

    policy = {"extends": "ccxt", "reconcile": BOUNDS, "attempt_timeout": "2s", "deadline": "20s", **own}
    policies = Policies.from_mapping({"policies": {"short": policy}}, log=False)
    client = Changed({"enableRateLimit": False})
    wrapped: Any = wrap(exchange.point(client), "short", policies=policies, outbox=outbox, operations=operations)
    wrapped.load_markets()
    return wrapped, policies


def order(key: str = "", **fields: Any) -> dict[str, Any]:
    """Return an order that stays open."""
    params = {"params": {"clientOrderId": key}} if key else {}
    return {"symbol": SWAP, "type": "limit", "side": "buy", "amount": 1, "price": 50_000, **params, **fields}


def executions(exchange: Sandbox) -> dict[str, int]:
    """Return how often each client id was executed."""
    exchange.settle()
    return {row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]}


def states(outbox: Outbox) -> dict[str, str]:
    """Return the state of each write."""
    return {row.key: row.state for state in ("open", "done", "failed") for row in outbox.rows(state)}  # type: ignore[arg-type]


def rows_of(answer: Any) -> list[Any]:
    """Return the list of the orders in an answer to a batch."""
    found: Any = answer if isinstance(answer, list) else answer.get("data") or answer["result"]["list"]
    return found  # type: ignore[no-any-return]


def shorten(_exchange: Any, answer: Any) -> Any:
    """Return an answer without its first order."""
    del rows_of(answer)[0]
    return answer


def turn(_exchange: Any, answer: Any) -> Any:
    """Return an answer in another order."""
    rows_of(answer).reverse()
    return answer


@pytest.mark.parametrize("change", [shorten, turn])
@pytest.mark.parametrize("venue", ["binance", "bybit", "okx"])
def test_a_success_that_does_not_fit(venue: str, change: Any, outbox: Outbox) -> None:
    """Of an order that it leaves out, or has in another place, the exchange is asked."""
    with Sandbox(venue=venue, limits=False) as exchange:
        wrapped, _ = bot(exchange, outbox, change)
        placed = wrapped.create_orders([order("c"), order("a"), order("b")])
        assert [one["clientOrderId"] for one in placed] == ["c", "a", "b"]
        assert executions(exchange) == {"a": 1, "b": 1, "c": 1}
        assert states(outbox) == {"a": "done", "b": "done", "c": "done"}


@pytest.mark.parametrize("venue", ["binance", "okx"])
def test_the_refusal_of_one_order_says_nothing_of_another(venue: str, outbox: Outbox) -> None:
    """The answer has a part alone: the order that was accepted is found."""

    def refused_alone(exchange: Any, answer: Any) -> Any:
        rows = [row for row in rows_of(answer) if row.get("code", row.get("sCode")) not in (None, "0")]
        return rows if isinstance(answer, list) else {**answer, "data": rows}

    with Sandbox(venue=venue, limits=False) as exchange:
        wrapped, _ = bot(exchange, outbox, refused_alone)
        with pytest.raises(ccxt.BaseError) as caught:
            wrapped.create_orders([order("a"), order("large", amount=1e9)])
        first, refused = caught.value.results  # type: ignore[attr-defined]  # ours
        assert (first["clientOrderId"], failure_of(refused).executed) == ("a", "no")
        assert states(outbox) == {"a": "done", "large": "failed"}


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_a_client_id_for_all_orders_that_ccxt_puts_elsewhere(venue: str) -> None:
    """The order would be sent under another id, and looked up in vain."""
    with Sandbox(venue=venue, limits=False) as exchange:
        wrapped, _ = bot(exchange, None)
        with pytest.raises(ccxt.BadRequest, match="would be sent"):
            wrapped.create_orders([order()], {"clientOrderId": "a"})
        assert executions(exchange) == {}


@pytest.mark.parametrize("fault", ["accept_drop", "lose"])
def test_parameters_of_all_orders_that_outrank_those_of_one(fault: str) -> None:
    """On OKX ccxt merges them into each order, and the order that is looked up or sent again has the same."""
    with Sandbox(venue="okx", limits=False) as exchange:
        wrapped, _ = bot(exchange, None)
        exchange.script("b", [fault])
        placed = wrapped.create_orders([order("a")], {"clientOrderId": "b", "tdMode": "isolated"})
        assert [one["clientOrderId"] for one in placed] == ["b"]
        assert executions(exchange) == {"b": 1}


def test_the_time_of_an_outer_call_is_over(outbox: Outbox) -> None:
    """Nothing can be looked up any more: the orders are unknown, and stay open in the outbox."""
    with Sandbox(venue="okx", limits=False) as exchange:
        wrapped, policies = bot(exchange, outbox)
        exchange.script("a", ["accept_hang"])
        outer = Policies.from_mapping({"policies": {"outer": {"deadline": "1s"}}}, log=False).pipeline("outer")
        with pytest.raises((ccxt.NetworkError, DeadlineExceededError)) as caught:
            outer.call(wrapped.create_orders, [order("a"), order("b")])
        assert failure_of(caught.value).executed == "maybe"
        assert states(outbox) == {"a": "open", "b": "open"}
        assert {one["key"] for one in policies.snapshot()["writes_in_doubt"]} == {"a", "b"}
        assert {one.outcome for one in outbox.resume(wrapped)} == {"done"}
        assert executions(exchange) == {"a": 1, "b": 1}


def test_the_time_is_over_between_two_orders(outbox: Outbox) -> None:
    """Those that are left are unknown too: a lookup that has no time to begin proves nothing."""
    keys = [f"k{number}" for number in range(20)]
    with Sandbox(venue="okx", limits=False) as exchange:
        wrapped, policies = bot(exchange, outbox, deadline="1500ms", attempt_timeout="1s")
        exchange.script(keys[0], ["accept_drop"])
        for key in keys:
            exchange.script(f"query:{key}", ["query_drop"] * 1000)
        with pytest.raises(ccxt.NetworkError) as caught:
            wrapped.create_orders([order(key) for key in keys])
        results = caught.value.results  # type: ignore[attr-defined]  # ours
        assert {failure_of(one).executed for one in results} == {"maybe"}
        assert states(outbox) == dict.fromkeys(keys, "open")
        assert {one["key"] for one in policies.snapshot()["writes_in_doubt"]} == set(keys)


def test_a_limit_that_lasts_longer_than_the_call(outbox: Outbox) -> None:
    """A bare 429 after the orders were accepted: it keeps the lookups away, and proves nothing."""

    def limited(exchange: Any, answer: Any) -> Any:
        text = ("https://fapi.binance.com/fapi/v1/batchOrders", "POST", {"Retry-After": "60"}, "busy", None, None, None)
        exchange.handle_errors(429, "Too Many Requests", *text)
        return answer

    with Sandbox(venue="binance", limits=False) as exchange:
        wrapped, _ = bot(exchange, outbox, limited, deadline="2s", attempt_timeout="1s")
        with pytest.raises(ccxt.BaseError) as caught:
            wrapped.create_orders([order("a"), order("b")])
        results = caught.value.results  # type: ignore[attr-defined]  # ours
        assert [failure_of(one).executed for one in results] == ["maybe", "maybe"]
        assert failure_of(caught.value).executed == "maybe"
        assert states(outbox) == {"a": "open", "b": "open"}
        assert executions(exchange) == {"a": 1, "b": 1}


def test_a_gateway_that_answers_429_in_the_form_of_the_exchange(outbox: Outbox) -> None:
    """Its number is no code of the exchange: market orders that were filled are not sent again."""

    def limited(exchange: Any, answer: Any) -> Any:
        url = "https://fapi.binance.com/fapi/v1/batchOrders"
        exchange.handle_errors(429, "Too Many Requests", url, "POST", {}, '{"code": 429}', {"code": 429}, None, None)
        return answer

    with Sandbox(venue="binance", limits=False) as exchange:
        wrapped, _ = bot(exchange, outbox, limited)
        market = {"type": "market", "price": None}
        placed = wrapped.create_orders([order("a", **market), order("b", **market)])
        assert [one["clientOrderId"] for one in placed] == ["a", "b"]
        assert executions(exchange) == {"a": 1, "b": 1}


def test_a_glob_that_names_a_key_for_batches_too() -> None:
    """Each order of a batch has a client order id of its own, whatever key the whole would have."""
    with Sandbox(venue="okx", limits=False) as exchange:
        wrapped, _ = bot(exchange, None, operations={"create_*": {"key": "clientOrderId"}})
        assert len({one["clientOrderId"] for one in wrapped.create_orders([order(), order()])}) == 2
        assert set(executions(exchange).values()) == {1}


@pytest.mark.parametrize("operations", [{"create_order": {"key": "tag"}}, {"create_orders": {"idempotent": True}}])
def test_a_rule_by_which_no_order_of_a_batch_can_be_settled(operations: dict[str, Any]) -> None:
    """The batch is one write as a whole; none of its orders is said not to have been executed."""
    with Sandbox(venue="okx", limits=False) as exchange:
        wrapped, _ = bot(exchange, None, operations=operations)
        exchange.script("a", ["accept_drop"])
        with pytest.raises(ccxt.BaseError) as caught:
            wrapped.create_orders([order("a"), order("b")])
        assert failure_of(caught.value).executed == "maybe"
        assert executions(exchange) == {"a": 1, "b": 1}


def test_cancels_by_ids_of_both_kinds() -> None:
    """Which of them an exchange cancels differs, so that the result is what ccxt makes of it."""
    with Sandbox(venue="bybit", limits=False) as exchange:
        wrapped, _ = bot(exchange, None)
        placed = wrapped.create_orders([order("a"), order("b")])
        assert len(wrapped.cancel_orders([placed[1]["id"]], SWAP, {"clientOrderIds": ["a"]})) == 2


def test_an_unknown_batch_that_succeeds(outbox: Outbox) -> None:
    """No data of the venue describes its request, but its result names the orders: those are done."""

    class Unknown(ccxt.okx):  # type: ignore[misc]  # ccxt has no types
        def create_orders(self, orders: Any, params: Any = {}) -> Any:  # noqa: B006  # as ccxt's own
            return [{"id": "1", "clientOrderId": "a"}, {"id": "2", "clientOrderId": "b", "status": "rejected"}]

    with Sandbox(venue="okx", limits=False) as exchange:
        client = exchange.point(Unknown({"enableRateLimit": False}))
        policies = Policies.from_mapping({"policies": {"short": {"extends": "ccxt"}}}, log=False)
        wrapped: Any = wrap(client, "short", policies=policies, outbox=outbox)
        wrapped.load_markets()
        wrapped.create_orders([order("a"), order("b")])
        assert states(outbox) == {"a": "done", "b": "open"}


def test_a_batch_that_sends_its_orders_one_by_one(outbox: Outbox) -> None:
    """The answer to the last is not that of the whole."""

    class Single(ccxt.okx):  # type: ignore[misc]  # ccxt has no types
        def create_orders(self, orders: Any, params: Any = {}) -> Any:  # noqa: B006  # as ccxt's own
            names = ("symbol", "type", "side", "amount", "price", "params")
            return [super(Single, self).create_order(*map(one.get, names)) for one in orders]

    with Sandbox(venue="okx", limits=False) as exchange:
        client = exchange.point(Single({"enableRateLimit": False}))
        policies = Policies.from_mapping({"policies": {"short": {"extends": "ccxt", "reconcile": BOUNDS}}}, log=False)
        wrapped: Any = wrap(client, "short", policies=policies, outbox=outbox)
        wrapped.load_markets()
        assert [one["clientOrderId"] for one in wrapped.create_orders([order("a"), order("b")])] == ["a", "b"]
        assert executions(exchange) == {"a": 1, "b": 1}
        assert states(outbox) == {"a": "done", "b": "done"}


def test_an_unknown_batch_without_an_answer() -> None:
    """Nobody settles its orders, so that each of them is in doubt."""

    class Unknown(ccxt.okx):  # type: ignore[misc]  # ccxt has no types
        def create_orders(self, orders: Any, params: Any = {}) -> Any:  # noqa: B006  # as ccxt's own
            return self.private_post_trade_mass_cancel({"ids": [one["params"] for one in orders], **params})

        def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            if "mass-cancel" in url:
                raise ccxt.RequestTimeout(url)
            return super().fetch(url, method, headers, body)

    with Sandbox(venue="okx", limits=False) as exchange:
        client = exchange.point(Unknown({"enableRateLimit": False}))
        policies = Policies.from_mapping({"policies": {"short": {"extends": "ccxt", "retry": "off"}}}, log=False)
        wrapped: Any = wrap(client, "short", policies=policies)
        wrapped.load_markets()
        with pytest.raises(ccxt.BaseError) as caught:
            wrapped.create_orders([order("a"), order("b")])
        assert failure_of(caught.value).executed == "maybe"
        assert {one["key"] for one in policies.snapshot()["writes_in_doubt"]} == {"a", "b"}
