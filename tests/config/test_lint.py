"""Warnings about settings that have no effect, and settings that get no warning."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.bitget.operations import OPERATIONS
from resilience.config.checks.globs import new_cover_check
from resilience.config.checks.lint import lint


def warnings(folder: Path, text: str) -> list[str]:
    """Return the warnings of a file as `line: path: message`, without the prefix."""
    path = folder / "p.yaml"
    path.write_text(text)
    problems = lint(path, names=OPERATIONS)
    assert all(one.severity == "warning" for one in problems), problems
    return [f"{one.line}: {one.path}: {one.message.removeprefix('warning: ')}" for one in problems]


SILENT = {
    "waits that fit by a hair": (
        "policies: {a: {deadline: 31s, retry: {max_attempts: 4, backoff: {kind: constant, initial: 10s, "
        "max: 10s, jitter: none}}}}"
    ),
    "full jitter may be short": (
        "policies: {a: {deadline: 20s, retry: {max_attempts: 9, backoff: {kind: constant, initial: 10s, "
        "max: 10s}}}}"
    ),
    "one attempt as long as the deadline": (
        "policies: {a: {deadline: 8s, attempt_timeout: 8s, "
        "retry: {max_attempts: 1}}}"
    ),
    "no retry, no budget": "policies: {a: {budget: {ratio: 0%, floor: 0/s}}}",
    "a budget for quiet times": "policies: {a: {retry: {}, budget: {ratio: 0%, floor: 1/s}}}",
    "a quota that feeds the breaker": "policies: {a: {breaker: {min_calls: 20}, quota: [{rate: 2/s, burst: 10}]}}",
    "a quota that just feeds it": "policies: {a: {breaker: {min_calls: 20, window: 19s}, quota: [{rate: 1/s}]}}",
    "a quota of some operations": "policies: {a: {breaker: {}, quota: [{rate: 1/s, operations: [x]}]}}",
    "a quota for each operation": "policies: {a: {breaker: {}, quota: [{rate: 1/s, key: operation}]}}",
    "a breaker that counts calls": "policies: {a: {breaker: {window: 20 calls}, quota: [{rate: 1/m}]}}",
    "a quota that two attempts fit": (
        "policies: {a: {deadline: 30s, retry: {max_attempts: 2}, quota: [{rate: 2/m, "
        "burst: 2}]}}"
    ),
    "a deadline past the fence": "policies: {a: {deadline: 36s, reconcile: {}}}",
    "an API with a short window": "policies: {a: {deadline: 10s, reconcile: {window: 2s, processing: 1s, lag: 1s}}}",
    "lanes by rank": "policies: {a: {admission: {lanes: {cancel: {reserve: 2, priority: 1}}}}}",
    "a lane above a lower one": (
        "policies: {a: {admission: {lanes: {cancel: {reserve: 2}, bulk: {priority: -1}}}}}\n"
        "operations: [{match: 'b*', policy: a, lane: bulk}]"
    ),
    "a lane of a parent": (
        "policies: {a: {admission: {lanes: {bulk: {}}}}, b: {extends: a}}\n"
        "operations: [{match: 'b*', policy: b, lane: bulk}]"
    ),
    "an entry for whatever policy": (
        "policies: {a: {admission: {lanes: {bulk: {}}}}}\n"
        "operations: [{match: 'b*', lane: bulk}]"
    ),
    "the rule and its exceptions": (
        "operations: [{match: fetch_order, policy: http}, {match: 'fetch_*', policy: default}, {match: '*', "
        "policy: ccxt}]"
    ),
    "overlaps": "operations: [{match: 'fetch_*', policy: http}, {match: '*_order', policy: default}]",
    "globs apart": "operations: [{match: 'fetch_*', policy: http}, {match: 'create_*', policy: default}]",
    "a write with a key": "operations: [{match: post /v1/orders, policy: default, key: client_id}]",
    "a write that may be repeated": "operations: [{match: post /v1/search, policy: default, idempotent: true}]",
    "a write that is looked up": "operations: [{match: post /v1/orders, policy: bitget}]",
    "a write that is sent once": "policies: {once: {deadline: 5s}}\noperations: [{match: 'post *', policy: once}]",
    "any method of any path": "operations: [{match: '* /v1/ticker', policy: http}, {match: get, policy: http}]",
    "a name of one's own": (
        "operations: [{match: rebalance, policy: bitget}, {match: spot_place_order, "
        "policy: bitget}]"
    ),
    "camel case elsewhere": "operations: [{match: fetchTicker, policy: default}]",
    "one window in two policies": (
        "policies: {a: {quota: [{name: n, rate: 5/s}]}, b: {quota: [{name: n, "
        "rate: 5/s}]}}"
    ),
    "a child's window": "policies: {a: {quota: [{name: n, rate: 5/s}]}, b: {extends: a}}",
    "the shipped windows, tuned": (
        "policies: {vip: {extends: bitget, quota: [{name: bitget-spot-place, rate: 30/s, "
        "burst: 30}]}}"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(SILENT))
def test_no_warning(name: str, tmp_path: Path) -> None:
    """Settings that take effect get no warning."""
    assert warnings(tmp_path, SILENT[name]) == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            "deadline: 30s, retry: {max_attempts: 4, backoff: {kind: constant, initial: 10s, max: 10s, jitter: none}}",
            "4 is",
        ),
        ("breaker: {min_calls: 21, window: 19s}, quota: [{rate: 1/s}]", "at most 20 attempts"),
        ("deadline: 35s, reconcile: {}", "is reported as unknown"),
        ("deadline: 60s, retry: {max_attempts: 2}, quota: [{rate: 1/m}]", "is never reached"),
    ],
)
def test_the_boundary(tmp_path: Path, settings: str, says: str) -> None:
    """A wait that needs the whole deadline does not fit."""
    (warning,) = warnings(tmp_path, f"policies: {{a: {{{settings}}}}}")
    assert says in warning


def test_a_warning_is_at_a_setting_of_the_file(tmp_path: Path) -> None:
    """It is not at a setting of a shipped file, and an inherited problem is reported once."""
    expected = "one attempt of 8s leaves 2s of the deadline of 10s: the 3 attempts cannot all fit, not even 2"
    text = "policies:\n  a:\n    extends: default\n    deadline: 10s\n  b: {extends: a}\n"
    assert warnings(tmp_path, text) == [f"4: policies.a.deadline: {expected}"]


def test_a_shipped_window_with_another_rate(tmp_path: Path) -> None:
    """A window that one policy inherits and another one changes is reported in the checked file."""
    text = """\
policies:
  vip: {extends: bitget, quota: [{name: bitget-spot-place, rate: 30/s, burst: 30}]}
  plain:
    extends: bitget
"""
    (warning,) = warnings(tmp_path, text)
    assert warning.startswith("4: policies.plain.quota[0].rate: the window 'bitget-spot-place' has another rate")


def test_a_window_that_no_request_counts_in(tmp_path: Path) -> None:
    """The globs of a window are checked like those of `operations`."""
    text = "policies: {a: {quota: [{rate: 5/s, operations: [get, 'POST /v1/*', /v1/orders]}]}}"
    assert [one.split(": ")[1] for one in warnings(tmp_path, text)] == [
        "policies.a.quota[0].operations[1]",
        "policies.a.quota[0].operations[2]",
    ]


def test_all_warnings_at_once(tmp_path: Path) -> None:
    """They are sorted by line."""
    text = """\
policies:
  a:
    deadline: 30s
    attempt_timeout: 12s
    retry: {max_attempts: 5}
    budget: {ratio: 0, floor: 0}
    hedge: {delay: 20s}
operations:
  - {match: "*", policy: a}
  - {match: POST /v1/orders, policy: a}
  - {match: post, policy: a}
"""
    assert [one.split(":")[0] for one in warnings(tmp_path, text)] == [
        "5", "6", "7", "7", "10", "10", "10", "11", "11",
    ]  # fmt: skip


def test_code_tables_are_checked_too(tmp_path: Path) -> None:
    """A file with rows is checked as a code table."""
    path = tmp_path / "shop.yaml"
    path.write_text('rules:\n  - {code: "1", category: fatal}\n')
    assert lint(path) == []
    path.write_text('rules:\n  - {code: "1", category: fatl}\n')
    assert [(one.line, one.severity) for one in lint(path)] == [(2, "error")]


@pytest.mark.parametrize(
    ("outer", "inner", "covered"),
    [
        ("*", "a*b?", True),
        ("fetch_*", "fetch_order", True),
        ("fetch_*", "fetch_*_order", True),
        ("fetch_*_order", "fetch_*", False),
        ("f?tch_*", "fetch_*", False),  # not certain
        ("f?tch_*", "fetch_order", True),
        ("fetch_*", "f?tch_*", False),
        ("a*b*c", "a*xb*c", True),
        ("a?c", "abc", True),
        ("a[bc]d", "a[bc]d", True),
        ("a*d", "a[bc]d", True),
        ("a" * 201 + "*", "a" * 202, False),
        ("a[bc]d", "a?d", False),
        ("**", "*", True),
        ("a*", "b*", False),
    ],
)
def test_a_glob_that_covers_another(outer: str, inner: str, covered: bool) -> None:
    """A glob covers another if it matches all names of the other."""
    assert new_cover_check(outer)(inner) is covered


GLOBS = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]"]), max_size=7).map("".join)
NAMES = st.text("abc", max_size=7)


@given(GLOBS, GLOBS, NAMES)
def test_a_covering_glob_matches_each_name_of_the_other(one: str, other: str, name: str) -> None:
    """Whatever wildcards the two globs have."""
    if new_cover_check(one)(other) and fnmatchcase(name, other):
        assert fnmatchcase(name, one)


NAMES = {
    "requests.HTTPError": "",
    "requests.exceptions.HTTPError": "",
    "urllib3.MaxRetryError": "",
    "SOLD_OUT": "",
    "order.SOLD_OUT": "",
    "order.not_found": "",
    "requests.NoSuchError": "no exception class 'requests.NoSuchError' can be imported here: the name matches nothing",
    "no_such_sdk.SoldOut": "no exception class 'no_such_sdk.SoldOut' can be imported here: the name matches nothing",
    "requests.Session": "no exception class 'requests.Session' can be imported here: the name matches nothing",
    "aiohttp.web.HTTPFound": (
        "Python calls this class aiohttp.web_exceptions.HTTPFound: the name 'aiohttp.web.HTTPFound' matches nothing"
    ),
}


@pytest.mark.parametrize(("name", "warning"), NAMES.items(), ids=NAMES)
def test_class_names_of_a_table(tmp_path: Path, name: str, warning: str) -> None:
    """A row's class that cannot be imported is reported, for the table and for each policy file that uses it."""
    table, policy = tmp_path / "t.yaml", tmp_path / "p.yaml"
    table.write_text(f"rules:\n  - {{code: E1, category: fatal, executed: no, names: [{name}]}}\n")
    policy.write_text("policies: {a: {codes: [./t.yaml]}}\n")
    expected = [(2, "rules[0].names[0]", f"warning: {warning}")] if warning else []
    for path in (table, policy):
        assert [(one.line, one.path, one.message) for one in lint(path)] == expected


@pytest.mark.parametrize("name", ["my_bot.flow.Stop", "Stoppage", "requests.Session"])
def test_control_flow_that_cannot_be_imported(tmp_path: Path, name: str) -> None:
    """A class in `pass_through` that cannot be imported is reported where it is written."""
    text = f"policies: {{a: {{pass_through: [builtins.StopIteration, EOFError, aiohttp.web.HTTPFound, {name}]}}}}"
    message = f"no exception class {name!r} can be imported here: it matches nothing"
    assert warnings(tmp_path, text) == [f"1: policies.a.pass_through[3]: {message}"]


UNITS = {
    "reconcile: {wait: 500}": "reconcile.wait: 500 without a unit is seconds",
    "breaker: {open_for: 500, open_max: 20m}": "breaker.open_for: 500 without a unit is seconds",
    "retry: {backoff: {initial: 200, max: 20m}}": "retry.backoff.initial: 200 without a unit is seconds",
    "hedge: {delay: 200}": "hedge.delay: 200 without a unit is seconds",
    "admission: {queue_timeout: 1000}": "admission.queue_timeout: 1000 without a unit is seconds",
    "quota: [{rate: 1/s}, {rate: 10}]": "quota[1].rate: 10 without a span is per second",
    "retry: {}, budget: {floor: 2}": "budget.floor: 2 without a span is per second",
}


@pytest.mark.parametrize("settings", UNITS)
def test_a_number_without_its_unit(tmp_path: Path, settings: str) -> None:
    """Every duration and rate is checked, wherever it stands."""
    found = warnings(tmp_path, f"policies: {{a: {{{settings}}}}}")
    assert any(line.startswith(f"1: policies.a.{UNITS[settings]}") for line in found), found


DEFAULTS_WITHOUT_EFFECT = {
    "kind: decorrelated, jitter: full": "jitter",
    "kind: linear, factor: 2": "factor",
    "kind: constant, factor: 2.0": "factor",
}


@pytest.mark.parametrize("backoff", DEFAULTS_WITHOUT_EFFECT)
def test_a_default_that_is_written_and_never_read(tmp_path: Path, backoff: str) -> None:
    """Writing the default of a setting that the kind of backoff ignores is reported like another value."""
    (found,) = warnings(tmp_path, f"policies: {{a: {{retry: {{backoff: {{{backoff}}}}}}}}}")
    assert found.startswith(f"1: policies.a.retry.backoff.{DEFAULTS_WITHOUT_EFFECT[backoff]}: ")


def test_an_inherited_default_is_its_owners(tmp_path: Path) -> None:
    """A factor that a policy inherits and does not read is no mistake."""
    text = "policies:\n  b: {retry: {backoff: {factor: 2}}}\n  a: {extends: b, retry: {backoff: {kind: linear}}}\n"
    assert warnings(tmp_path, text) == []


KEYLESS = ["post /v1/orders", "POST*", "create_order", "place_*", "x, idempotent: false"]


@pytest.mark.parametrize("match", KEYLESS)
def test_reconcile_without_a_key(tmp_path: Path, match: str) -> None:
    """A write is looked up by its key: without one, reconcile has no effect."""
    policy = "policies: {a: {deadline: 1m, retry: {}, reconcile: {}}}"
    found = warnings(tmp_path, f"{policy}\noperations: [{{match: {match}, policy: a}}]")
    assert any("reconcile has no effect on a write without a key" in line for line in found), found
    keyed = warnings(tmp_path, f"{policy}\noperations: [{{match: {match.partition(',')[0]}, policy: a, key: id}}]")
    assert not any("reconcile" in line for line in keyed), keyed


def test_reconcile_of_clients_that_know_their_key(tmp_path: Path) -> None:
    """The clients of Bitget and ccxt find the parameter of the key by themselves."""
    text = "policies: {a: {extends: ccxt, deadline: 1m, reconcile: {}}}\noperations: [{match: create_order, policy: a}]"
    assert not any("key" in line for line in warnings(tmp_path, text))


def test_reconcile_of_reads(tmp_path: Path) -> None:
    """Lookups of a policy whose entries are all reads never happen."""
    text = "policies: {a: {deadline: 1m, reconcile: {}}}\noperations: [{match: get /v1/orders, policy: a}]"
    assert warnings(tmp_path, text) == [
        "1: policies.a.reconcile: only writes are looked up, and its operations are reads"
    ]


@pytest.mark.parametrize("match", ["post /v1/orders", "create_order", "create_*"])
def test_a_hedge_on_a_write_by_its_name(tmp_path: Path, match: str) -> None:
    """An entry need not say that it is a write."""
    found = warnings(tmp_path, f"policies: {{a: {{hedge: {{}}}}}}\noperations: [{{match: '{match}', policy: a}}]")
    assert any("a hedge is never sent for a write" in line for line in found), found
