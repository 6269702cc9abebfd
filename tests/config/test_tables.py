"""Code tables: the shipped ones, and the mistakes of a bad one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import Category, Classifier, CodeRegistry, PolicyError, Rule
from resilience.config.codes.code_tables import builtin_names


def test_what_is_shipped() -> None:
    """The tables, at least how many rows each holds, and which rows are current."""
    assert {"bitget", "bitget-ws", "ccxt", "http"} <= set(builtin_names())
    bitget = list(CodeRegistry.builtin("bitget"))
    current = [rule for rule in bitget if not rule.legacy]
    assert (len(bitget) >= 1465, len(current) >= 1040) == (True, True)
    assert sum(rule.category is not None for rule in current) >= 1038
    assert all(rule.remedy for rule in current if rule.category is Category.USER_FIXABLE)
    assert len(CodeRegistry.builtin("bitget-ws")) >= 41
    assert all(rule.action for rule in CodeRegistry.builtin("bitget-ws"))


def test_leading_zeros_make_another_code() -> None:
    """Codes are strings: 1 and 00001 are different rows."""
    bitget = CodeRegistry.builtin("bitget")
    one, zeros = bitget.rule("1"), bitget.rule("00001")
    assert one is not None
    assert zeros is not None
    assert one.category is not zeros.category


def test_one_code_may_have_several_names() -> None:
    """40017 has two names, and a name finds its row."""
    bitget = CodeRegistry.builtin("bitget")
    rule = bitget.rule("40017")
    assert rule is not None
    assert rule.names == ("ACCOUNT_NOT_COPY_TRADER", "FUTURES_POSITION_DIRECTION_EMPTY")
    assert bitget.named("FUTURES_POSITION_DIRECTION_EMPTY") is rule


def test_tables_are_read_before_the_first_failure() -> None:
    """A compiled policy has its own tables in memory, and no other."""
    program = (
        "import sys\n"
        "from resilience import resilient\n"
        "assert resilient(lambda: 1)() == 1\n"
        "from resilience.config.codes import code_tables as tables\n"
        "assert set(tables._loaded) == {'http'}, tables._loaded\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


MISTAKES = """\
envelop: {code: code}
rules:
  - {code: "1", category: retriable}
  - {code: "1", executed: perhaps}
  - {category: fatal}
  - {code: "2", names: A, remedi: x}
  - just a text
texts:
  - [some words, "77"]
"""


def test_every_mistake_at_once(tmp_path: Path) -> None:
    """A bad table is rejected with all its mistakes and their positions."""
    path = tmp_path / "shop.yaml"
    path.write_text(MISTAKES, encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        CodeRegistry.load(path)
    problems = [(problem.line, problem.message) for problem in caught.value.problems]
    assert [line for line, _ in problems] == [1, 3, 4, 4, 5, 6, 6, 7, 9]
    assert "did you mean envelope?" in problems[0][1]
    assert "'retriable' is not one of retryable, fatal, user_fixable" in problems[1][1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a mapping"),
        (b"[1, 2]", "expected a mapping"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"rules: [", "not YAML"),
        (b"rules: !!python/object/apply:os.system ['true']", "is not allowed"),
        (b"rules: *c\n", "alias"),
    ],
)
def test_files_that_are_not_tables(tmp_path: Path, content: bytes, message: str) -> None:
    """Bytes that are not a table get one error."""
    path = tmp_path / "shop.yaml"
    path.write_bytes(content)
    with pytest.raises(PolicyError) as caught:
        CodeRegistry.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_an_unknown_name(tmp_path: Path) -> None:
    """Both say what is missing."""
    with pytest.raises(PolicyError, match="cannot be read"):
        CodeRegistry.load(tmp_path / "none.yaml")
    with pytest.raises(PolicyError, match="did you mean 'bitget'"):
        CodeRegistry.builtin("bitgett")


RULES = st.builds(
    Rule,
    code=st.text(min_size=1, max_size=12).map(str.strip).filter(bool),
    names=st.lists(st.text(min_size=1, max_size=8), max_size=3).map(tuple),
    category=st.none() | st.sampled_from(Category),
    executed=st.sampled_from(["no", "maybe", "n_a"]),
    hint=st.text(min_size=1, max_size=8),
    remedy=st.text(max_size=20),
    legacy=st.booleans(),
    duplicate=st.booleans(),
    action=st.text(max_size=8),
    scopes=st.lists(st.sampled_from(["spot", "margin", "all"]), max_size=3, unique=True).map(tuple),
    source=st.lists(st.sampled_from(["docs", "seen"]), max_size=2, unique=True).map(tuple),
)


def row_of(rule: Rule) -> dict[str, object]:
    """Return a row as a file has it."""
    row = {name: getattr(rule, name) for name in Rule.__slots__ if getattr(rule, name) not in (None, ())}
    del row["match"]
    joined = {
        name: "+".join(row.pop(field)) for name, field in (("scope", "scopes"), ("source", "source")) if field in row
    }
    return row | joined


@given(st.lists(RULES, max_size=5, unique_by=lambda rule: rule.code))
def test_round_trip(rules: list[Rule]) -> None:
    """Rows that are written as a mapping come back the same."""
    table = {"rules": [row_of(rule) for rule in rules], "references": {"docs": "the documentation", "seen": "live"}}
    assert list(CodeRegistry.from_mapping("shop", table)) == rules


def test_rows_by_code() -> None:
    """Rows may also be a mapping by code."""
    shop = CodeRegistry.from_mapping("shop", {"rules": {"E17": {"category": "fatal", "executed": "no"}}})
    assert shop.rule("E17") == Rule("E17", category=Category.FATAL, executed="no")


EXCHANGES = ("binance", "bybit", "coinbase", "gate", "hyperliquid", "kraken", "kucoin", "okx")


@pytest.mark.parametrize("name", EXCHANGES)
def test_a_table_of_an_exchange(name: str) -> None:
    """Each row says where it comes from, and what to do; without a scope no row is more certain than the worst."""
    table = CodeRegistry.builtin(name)
    assert table.envelope is not None
    assert table.sources
    for rule in table:
        assert rule.source, rule.code
        assert rule.remedy, rule.code
        assert rule.category is not None or rule.executed in ("n_a", "maybe"), rule.code
        for scope in rule.scopes or ("all",):
            assert table.rule(rule.code, scope=scope) is rule, rule.code
        cautious = table.rule(rule.code)
        assert cautious is not None
        assert cautious.executed == "maybe" or rule.executed != "maybe", rule.code


def test_how_many_rows_the_exchanges_have() -> None:
    """As many as are documented, at least."""
    least = {"binance": 666, "okx": 1093, "bybit": 970, "coinbase": 392, "kraken": 80, "gate": 173, "kucoin": 402}
    assert {name: len(CodeRegistry.builtin(name)) >= rows for name, rows in least.items()} == dict.fromkeys(least, True)
    assert len(CodeRegistry.builtin("hyperliquid")) >= 57


def test_the_same_number_in_several_parts_of_an_api() -> None:
    """At least 82 numbers of Binance mean several things."""
    binance = CodeRegistry.builtin("binance")
    assert sum(len(binance.rules(code)) > 1 for code in {rule.code for rule in binance}) >= 82
    spot, futures = (binance.rule("-2021", scope=scope) for scope in ("spot", "usdm"))
    assert spot is not None
    assert futures is not None
    assert (spot.executed, futures.executed) == ("maybe", "no")
    assert binance.scope_of("https://fapi.binance.com/fapi/v1/order") == "usdm"


class SdkError(Exception):
    """An error as an SDK of Binance raises it."""

    __module__ = "binance.exceptions"

    def __init__(self, code: int, message: str, status: int, url: str) -> None:
        super().__init__(f"APIError(code={code}): {message}")
        self.code, self.message, self.status_code, self.url = code, message, status, url


def test_an_error_of_an_exchanges_own_sdk() -> None:
    """Its package names the table among those that the policy lists, and its URL the scope."""
    tables = [CodeRegistry.builtin(name) for name in ("bybit", "binance", "http")]
    error = SdkError(-2021, "Order would immediately trigger.", 400, "https://fapi.binance.com/fapi/v1/order")
    failure = Classifier(tables).classify(error)
    assert (failure.registry, failure.code, failure.executed) == ("binance", "-2021", "no")
