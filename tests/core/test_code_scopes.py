"""Tests of scopes: which row of a code counts, and in which part of an API a URL is."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import Category, CodeRegistry, Rule
from resilience._core.policy.code_scopes import most_cautious, scope_of_url
from resilience._core.policy.codes import Executed

SCOPES = ("spot", "margin", "futures")
ROWS = st.builds(
    Rule,
    code=st.sampled_from(["1", "2"]),
    category=st.none() | st.sampled_from(Category),
    executed=st.sampled_from(get_args(Executed)),
    scopes=st.lists(st.sampled_from([*SCOPES, "all"]), max_size=2, unique=True).map(tuple),
)
RANK = {"maybe": 2, "no": 1, "n_a": 0}


def table(*rows: Rule) -> CodeRegistry:
    """Return a table of these rows."""
    return CodeRegistry("api", rows)


def test_the_own_scope_then_all() -> None:
    """The row of the request's scope counts, else that of `all`; a row without a scope is one of `all`."""
    spot, every = Rule("1", scopes=("spot", "margin"), executed="no"), Rule("1", executed="maybe")
    both = table(spot, every)
    assert [both.rule("1", scope=scope) for scope in ("spot", "margin", "futures")] == [spot, spot, every]
    assert both.rules("1") == (spot, every)
    assert (both.rules("2"), both.rule("2", scope="spot")) == ((), None)
    assert table(spot).rules("1") == (spot,)
    assert (len(both), list(both)) == (2, [spot, every])


def test_a_scope_that_no_row_has() -> None:
    """The most cautious row counts: the code is known, although not for this part of the API."""
    spot, margin = Rule("1", scopes=("spot",), executed="no"), Rule("1", scopes=("margin",), executed="maybe")
    assert table(spot, margin).rule("1", scope="futures") is margin
    assert table(spot).rule("1", scope="futures") is spot


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Rule("1", executed="maybe", scopes=("a",)), Rule("1", executed="no", scopes=("b",))),
        (Rule("1", executed="no", scopes=("a",)), Rule("1", executed="n_a", scopes=("b",))),
        (Rule("1", executed="no", scopes=("all",)), Rule("1", executed="no", scopes=("b",))),
        (Rule("1", executed="no"), Rule("1", Category.FATAL, executed="no", scopes=("b",))),  # type: ignore[arg-type]
    ],
)
def test_what_is_more_cautious(first: Rule, second: Rule) -> None:
    """`maybe` before `no` before `n_a`, then the row of `all`, in any order."""
    assert most_cautious([first, second]) is most_cautious([second, first]) is first


def test_of_equal_rows_the_one_that_is_not_sent_again() -> None:
    """Fatal before user-fixable before retryable; of equal ones the first."""
    rows = [Rule("1", (), category, "no", scopes=(str(category),)) for category in Category]
    assert most_cautious(rows).category is Category.FATAL
    assert most_cautious(row for row in rows if row.category is not Category.FATAL).category is Category.USER_FIXABLE
    twins = [Rule("1", (), Category.FATAL, "no", "", name, scopes=(name,)) for name in "ab"]
    assert most_cautious(twins) is twins[0]


@given(st.lists(ROWS, max_size=8), st.sampled_from(["1", "2"]), st.sampled_from([*SCOPES, "other", None]))
def test_every_order_of_rows(rows: list[Rule], code: str, scope: str | None) -> None:
    """A row of the scope, else of `all`, else one as uncertain as the worst; a code without rows has none."""
    found, own = table(*rows).rule(code, scope=scope), table(*rows).rules(code)
    assert (found is None) is (not own)
    if found is None:
        return
    assert found in own
    in_scope = [row for row in own if scope in row.scopes]
    in_all = [row for row in own if not row.scopes or "all" in row.scopes]
    if len(own) > 1 and scope is not None and (in_scope or in_all):
        assert found is (in_scope or in_all)[0]
    elif len(own) > 1:
        assert RANK[found.executed] == max(RANK[row.executed] for row in own)


@pytest.mark.parametrize(
    ("url", "scope"),
    [
        ("https://api.shop.test/api/v3/order", "spot"),
        ("https://api.shop.test/api/v3/hf/order?symbol=/futures/", "fast"),
        ("http://futures.shop.test/api/v3/order", "futures"),
        ("futures.shop.test/api/v3/order", "futures"),
        ("/api/v3/order", "spot"),
        ("https://api.shop.test/v2/api/v3/order", None),
        ("https://api.shop.test?path=/api/", None),
        ("https://api.shop.test#/api/", None),
        ("", None),
    ],
)
def test_the_scope_of_a_url(url: str, scope: str | None) -> None:
    """The longest beginning of its path, or of host and path; the query does not count."""
    prefixes = {"/api/": "spot", "/api/v3/hf/": "fast", "futures.shop.test/": "futures"}
    assert scope_of_url(url, prefixes) == scope
    assert CodeRegistry("api", (), prefixes=prefixes).scope_of(url) == scope
    assert table().scope_of(url) is None
