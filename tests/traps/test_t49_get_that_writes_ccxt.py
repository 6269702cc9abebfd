"""A GET that writes through ccxt: the verb says read, and the call would be sent again after each lost answer."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from ccxt.base.types import Entry

from resilience import NOT_FOUND, Found, Policies, failure_of, wrap
from resilience.testing import FakeClock
from tests.integrations.raw_server import RawServer

READ_BY_DERIBIT = {"simulate_block_trade", "simulate_portfolio", "subscribe", "unsubscribe", "unsubscribe_all"}
"""Private GETs of Deribit that change nothing but the session, beside `get_*` and `list_*`."""


def fresh() -> Policies:
    """Return the built-in policies with a budget of their own, on a clock that does not wait."""
    return Policies.from_mapping({"version": 1, "policies": {}}, clock=FakeClock())


def private_gets(name: str) -> dict[str, str]:
    """Return the paths of an exchange's private GETs by the names of ccxt's methods."""
    entries = {key: value for base in getattr(ccxt, name).__mro__ for key, value in vars(base).items()}
    return {
        key: value.path
        for key, value in entries.items()
        if isinstance(value, Entry) and value.method == "GET" and "private" in str(value.api)
    }


@pytest.mark.newest_versions
def test_naive() -> None:
    """By the verb alone, Deribit's orders, withdrawals and block trades would be reads."""
    paths = set(private_gets("deribit").values())
    assert {"buy", "sell", "withdraw", "execute_block_trade", "mass_quote", "move_positions", "reset_api_key"} <= paths


def test_ours_deribit(bots: Any) -> None:
    """Each private GET of Deribit is a write unless it gets, lists or simulates."""
    with RawServer(lambda _seen: None) as server:
        bot = wrap(bots.at(server.url, "deribit"), "ccxt", policies=fresh())
        for name, path in private_gets("deribit").items():
            reads = path.startswith(("get_", "list_")) or path in READ_BY_DERIBIT
            assert bot.resilience_operation_info(name, bot).read is reads, path


@pytest.mark.parametrize(
    ("exchange", "method", "read"),
    [
        ("dydx", "nodeRpcGetBroadcastTxSync", False),
        ("dydx", "nodeRpcGetTx", True),
        ("lighter", "publicPostSendTx", False),
        ("hyperliquid", "publicPostInfo", True),
        ("hyperliquid", "privatePostExchange", False),
        ("binance", "sapiGetAssetTransfer", True),
        ("coinspot", "privatePostMyOrders", False),
        ("binance", "publicPutUserDataStream", False),
    ],
)
def test_other_verbs_that_mislead(bots: Any, exchange: str, method: str, read: bool) -> None:
    """A GET may broadcast a transaction, a public POST may only ask, and another one may send an order."""
    with RawServer(lambda _seen: None) as server:
        bot = wrap(bots.at(server.url, exchange), "ccxt", policies=fresh())
        assert bot.resilience_operation_info(method, bot).read is read


@pytest.mark.newest_versions
@pytest.mark.parametrize("name", ["privateGetExecuteBlockTrade", "privateGetMassQuote", "privateGetResetApiKey"])
def test_ours(bots: Any, name: str) -> None:
    """It is sent once, and its outcome is unknown."""
    with RawServer(lambda _seen: None) as server:
        bot = wrap(bots.at(server.url, "deribit"), "ccxt", policies=fresh())
        with pytest.raises(ccxt.NetworkError) as caught:
            bots.call(getattr(bot, name), {})
        assert len(server.seen) == 1
    assert (failure_of(caught.value).executed, failure_of(caught.value).attempts) == ("maybe", 1)


@pytest.mark.parametrize("name", ["fetch_balance", "privateGetGetPositions", "fetch_ticker"])
def test_a_rule_outranks_the_name_and_the_verb(bots: Any, name: str) -> None:
    """`idempotent: false` makes it a write: sent once, and unknown."""
    args = ("BTC/USDT",) if name == "fetch_ticker" else ({},)
    with RawServer(lambda _seen: None) as server:
        plain = bots.at(server.url, "deribit")
        bot = wrap(plain, "ccxt", operations={name: {"idempotent": False}}, policies=fresh())
        with pytest.raises(ccxt.NetworkError) as caught:
            bots.call(getattr(bot, name), *args)
        assert len(server.seen) == 1
    assert failure_of(caught.value).executed == "maybe"


def test_so_does_a_rule_of_the_policy_file(bots: Any) -> None:
    """In YAML as in Python."""
    rules = {"operations": [{"match": "fetch_balance", "policy": "ccxt", "idempotent": False}], "policies": {}}
    policies = Policies.from_mapping(rules, clock=FakeClock())
    with RawServer(lambda _seen: None) as server:
        bot = wrap(bots.at(server.url, "binance"), "ccxt", policies=policies)
        with pytest.raises(ccxt.NetworkError) as caught:
            bots.call(bot.fetch_balance)
        assert len(server.seen) == 1
    assert failure_of(caught.value).executed == "maybe"


def test_so_do_a_key_and_a_reconciler(bots: Any) -> None:
    """The write is looked up by the key that it carried, instead of being sent again."""
    looked_up: list[Any] = []

    def look_up(call: Any) -> Any:
        looked_up.append(call.key)
        return Found({"result": "ok"}) if len(looked_up) == 2 else NOT_FOUND

    async def look_up_async(call: Any) -> Any:
        return look_up(call)

    rule = {"key": "label", "reconcile": look_up_async if bots.asynchronous else look_up}
    with RawServer(lambda _seen: None) as server:
        bot = wrap(
            bots.at(server.url, "deribit"), "ccxt", operations={"privateGetGetPositions": rule}, policies=fresh()
        )
        assert bots.call(bot.privateGetGetPositions, {}) == {"result": "ok"}
        assert len(server.seen) == 1
        assert f"label={looked_up[0]}" in server.seen[0].path


@pytest.mark.parametrize("name", ["fetch_fees", "parse_order", "amount_to_precision"])
def test_a_key_that_cannot_be_carried_is_refused_at_once(bots: Any, name: str) -> None:
    """The method takes no parameters of the exchange, or sends nothing: the text names glob and method."""
    with RawServer(lambda _seen: None) as server:
        plain = bots.at(server.url, "binance")
        for key in ("clientOrderId", "params.clientOrderId"):
            with pytest.raises(TypeError, match=rf"operations\['{name}'\]: {name}\(\).*cannot carry a key"):
                wrap(plain, "ccxt", operations={name: {"key": key}}, policies=fresh())
        wrap(plain, "ccxt", operations={f"{name}*": {"key": "clientOrderId"}}, policies=fresh())
