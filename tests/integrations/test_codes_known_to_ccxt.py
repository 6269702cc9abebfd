"""Codes of exchanges of ccxt that have no table here: ccxt's class says what they mean, and nothing more is claimed."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from resilience import CodeRegistry, Policies, failure_of, wrap
from resilience.config.codes.code_tables import is_known
from resilience.integrations.ccxt.exchange_codes import exchange_codes

pytestmark = pytest.mark.newest_versions

VAGUE = {"ExchangeError", "NetworkError", "BaseError"}


@pytest.mark.parametrize("exchange", sorted(ccxt.exchanges))
def test_what_ccxt_knows_is_known(exchange: str) -> None:
    """No code for which ccxt has an exact class is reported as unknown, and none is more certain than its class."""
    classes = CodeRegistry.builtin("ccxt")
    table = exchange_codes(exchange)
    assert table is not None
    for rule in table:
        kind: Any = getattr(ccxt, rule.names[0])
        failure = failure_of(kind(f'{exchange} {{"code":"{rule.code}","msg":"words"}}'.replace("\n", " ")))
        row = classes.named(f"ccxt.{rule.names[0]}")
        assert row is not None
        assert failure.known or rule.names[0] in VAGUE, rule.code
        if failure.registry == "ccxt":
            # The exchange's own table does not have the code: in its own envelope that proves nothing.
            executed = {row.executed, "maybe"} if is_known(exchange) else {row.executed}
            assert (failure.category, failure.executed in executed) == (row.category, True), rule.code
            assert failure.proof in ("likely", "none")


def test_an_unknown_code_of_an_exact_class() -> None:
    """The exchange's code is reported, and the class as what explains it."""
    failure = failure_of(ccxt.InsufficientFunds('mexc {"code":30004,"msg":"Insufficient position"}'))
    assert (failure.code, failure.registry, failure.names) == ("30004", "ccxt", ("ccxt.InsufficientFunds",))
    assert (failure.known, failure.executed, failure.proof) == (True, "no", "likely")
    vague = failure_of(ccxt.ExchangeError('mexc {"code":30999,"msg":"?"}'))
    assert (vague.code, vague.known, vague.executed) == ("30999", False, "maybe")


def test_a_code_that_the_exchanges_own_table_lacks() -> None:
    """In the exchange's own envelope nothing is proven by ccxt's class."""
    failure = failure_of(ccxt.InsufficientFunds('binance {"code":-99999,"msg":"?"}'))
    assert (failure.code, failure.known, failure.executed) == ("-99999", True, "maybe")


def test_a_table_made_of_ccxts_knowledge() -> None:
    """Codes and texts with the meaning of their class; a part of a text is enough where it is for ccxt."""
    table = exchange_codes("mexc")
    assert table is not None
    row = table.rule("30004")
    assert row is not None
    assert (row.names, row.category, row.executed) == (("InsufficientFunds",), "user_fixable", "no")
    assert any(rule.match == "part" for rule in table)
    assert "ccxt" in next(iter(table.references.values()))
    assert exchange_codes("no such exchange") is None


@pytest.mark.parametrize(
    ("exchange", "table"),
    [("okxus", "okx"), ("myokx", "okx"), ("binanceusdm", "binance"), ("kucoinfutures", "kucoin"), ("gateeu", "gate")],
)
def test_exchanges_that_share_a_table(exchange: str, table: str) -> None:
    """A site or a part of an exchange has the codes of the whole."""
    assert CodeRegistry.builtin(exchange) is CodeRegistry.builtin(table)


def test_a_class_derived_from_an_exchange_has_its_table() -> None:
    """A later ccxt has further sites, of which no list of ours knows."""

    class okxmars(ccxt.okx):  # type: ignore[misc]  # ccxt has no types  # noqa: N801  # named as ccxt names classes
        """A site that nobody knows."""

    assert not is_known("okxmars")
    exchange = wrap(okxmars({"id": "okxmars"}), policies=Policies.builtin())
    exchange.set_markets([])
    exchange.fetch = lambda *_args, **_kwargs: (_ for _ in ()).throw(ccxt.ExchangeError('okxmars {"code":"51008"}'))
    with pytest.raises(ccxt.ExchangeError) as caught:
        exchange.fetch_time()
    assert failure_of(caught.value).registry == "okx"
