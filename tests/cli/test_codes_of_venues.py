"""`resilience codes` and `resilience explain` for exchanges: search, scopes, texts, and what a code means where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from resilience.cli import main

MINIMUM = "EOrder:Order minimum not met"
SIGNER = "Unable to recover signer"
OKX_BODY = '{"code":"1","msg":"","data":[{"sCode":"51149","sMsg":"m"}]}'
HYPERLIQUID_BODY = '{"status":"err","response":"Unable to recover signer."}'
BATCH = '[{"orderId": 1}, {"code": -2022, "msg": "ReduceOnly Order is rejected."}]'
BYBIT_ERROR = 'ccxt.base.errors.InvalidOrder: bybit {"retCode":110072,"retMsg":"x"}'


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """Run a command and return the JSON that it printed."""
    assert main([words[0], "--json", *words[1:]]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("words", "some", "others"),
    [
        (["--registry", "binance", "insufficient"], {"-4050", "-5013"}, {"-1021"}),
        (["--registry", "binance", "-20"], {"-2010", "-2021"}, {"-1020"}),
        (["--venue", "binanceusdm", "--scope", "usdm", "-2021"], {"-2021"}, {"-2022"}),
        (["--venue", "okx", "clock", "stamp"], {"50102"}, {"50036"}),
        (["--venue", "gate", "CURRENCY"], {"INVALID_CURRENCY"}, {"READ_ONLY"}),
        (["--venue", "bybit", "user-fixable", "leverage"], {"110013"}, {"10006"}),
        (["--venue", "kraken", "success"], {"WDatabase:No change"}, {"EService:Busy"}),
    ],
)
def test_searching_codes(
    words: list[str], some: set[str], others: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows have all words, in any of their texts; a number is the beginning of codes."""
    codes = {row["code"] for row in run_json(capsys, "codes", *words)}
    assert (some - codes, others & codes) == (set(), set())


def test_a_search_without_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is listed."""
    assert run_json(capsys, "codes", "--venue", "okx", "no such words") == []


def test_rows_of_an_exchange_have_scope_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    """Each row says in which part of the API it holds, how a message finds it, and where it comes from."""
    rows = run_json(capsys, "codes", "--venue", "binance", "-2021")
    assert [(row["scope"], row["executed"]) for row in rows] == [("spot+sapi", "maybe"), ("usdm+coinm+papi", "no")]
    assert all(row["source"] and " " in row["source"][0] for row in rows)
    (row,) = run_json(capsys, "codes", "--venue", "binance", "MSG_IP_BANNED")
    assert (row["match"], row["scope"]) == ("part", "all")
    assert main(["codes", "--venue", "binance", "-2021"]) == 0
    assert "usdm+coinm+papi" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--venue", "okx", "51016"], ("51016", "okx", "user_fixable", "no", 0)),
        (["--venue", "binance", "-2021"], ("-2021", "binance", "user_fixable", "maybe", 2)),
        (["--venue", "binance", "--scope", "usdm", "-2021"], ("-2021", "binance", "user_fixable", "no", 0)),
        (["--venue", "kraken", "EOrder:Order minimum not met"], (MINIMUM, "kraken", "user_fixable", "no", 0)),
        (["--venue", "kraken", "EService: Throttled: 17"], ("EService: Throttled", "kraken", "retryable", "no", 0)),
        (["--venue", "coinbase", "INSUFFICIENT_FUND"], ("INSUFFICIENT_FUND", "coinbase", "user_fixable", "no", 0)),
        (["--venue", "binance", BATCH], ("-2022", "binance", "user_fixable", "maybe", 2)),
        (["--venue", "binance", "[1, 2]"], (None, None, "retryable", "maybe", 0)),
        (["--venue", "okx", OKX_BODY], ("51149", "okx", "retryable", "maybe", 0)),
        (["--venue", "kucoin", '{"code":"400100","msg":"order not exist"}'], ("400100", "kucoin", "fatal", "no", 0)),
        (["--venue", "hyperliquid", HYPERLIQUID_BODY], (SIGNER, "hyperliquid", "fatal", "no", 0)),
        (["--venue", "bybit", BYBIT_ERROR], ("110072", "bybit", "user_fixable", "no", 0)),
        (["--venue", "okx", "nothing that it knows"], (None, None, "retryable", "maybe", 0)),
        (["--venue", "okx", "http_429"], ("http_429", "okx", "retryable", "maybe", 0)),
    ],
)  # fmt: skip
def test_explaining_an_exchange(words: list[str], expected: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A code, a body, a message or a traceback of the exchange; without a scope the most cautious meaning."""
    answer = run_json(capsys, "explain", *words)
    names = ("code", "registry", "category", "executed")
    assert (*(answer[name] for name in names), len(answer["meanings"])) == expected


def test_all_meanings_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A number that means several things is explained for each part of the API."""
    assert main(["explain", "--venue", "binance", "-2021"]) == 0
    assert "usdm+coinm+papi" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["codes", "--venue", "binance", "--scope", "nope"], "available: coinm"),
        (["codes", "--registry", "http", "--scope", "spot"], "its rows have no scopes"),
        (["codes", "--venue", "nope"], "unknown registry 'nope'"),
        (["explain", "--scope", "usdm", "1"], "give --registry or --venue too"),
        (["explain", "--venue", "binance", "--scope", "nope", "1"], "available: coinm"),
    ],
)
def test_wrong_use(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A scope or an exchange that does not exist is wrong use, and the message says what there is."""
    assert main(words) == 2
    assert message in capsys.readouterr().err
