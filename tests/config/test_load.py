"""Policy files: layers, and mistakes that are reported together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import Policies, Policy, PolicyError
from resilience._core.policy.policy_set import PolicySet
from resilience.config.checks.lint import lint
from resilience.config.loading.builtin_policies import builtin
from resilience.config.loading.policy_file import from_mapping, load
from resilience.config.loading.yaml_reader import read_text

DESIGN = """\
version: 1
codes: [bitget, http]
policies:
  read:
    extends: default
    deadline: 20s
    attempt_timeout: 5s
    retry: {max_attempts: 4, backoff: {kind: exponential, initial: 200ms, factor: 2, max: 5s, jitter: full}}
    budget: {ratio: 20%, floor: 1/s}
    breaker:
      {failure_rate: 80%, window: 10s, min_calls: 20, consecutive: 10, open_for: 1s, growth: 2, open_max: 5s,
       half_open: {permits: 1, successes: 1}, key: host}
  trade:
    extends: read
    deadline: 90s
    retry: {max_attempts: 5}
    reconcile: {early_checks: 2, wait: 500ms}
    budget: off
operations:
  - {match: "fetch_*", policy: read, idempotent: true}
  - {match: "create_order", policy: trade, key: clientOrderId}
"""


def written(folder: Path, text: str | bytes, name: str = "bot.yaml") -> Path:
    """Write a policy file."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_whole_file(tmp_path: Path) -> None:
    """Sections are merged over those of the parent, and `off` switches a stage off."""
    found = load(written(tmp_path, DESIGN))
    read, trade = found.policies["read"], found.policies["trade"]
    assert read.codes == trade.codes == ("bitget", "http")
    assert read.retry is not None
    assert trade.retry is not None
    assert (trade.retry.max_attempts, trade.retry.backoff) == (5, read.retry.backoff)
    assert (trade.deadline, trade.attempt_timeout) == (90.0, 5.0)
    assert trade.budget is None
    assert trade.breaker == read.breaker
    assert [(one.match, one.policy, one.idempotent, one.key) for one in found.operations] == [
        ("fetch_*", "read", True, None),
        ("create_order", "trade", None, "clientOrderId"),
    ]
    assert {"default", "http", "bitget", "ccxt"} < set(found.policies)


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "policies").glob("*.yaml")), ids=lambda p: p.name)
def test_shipped_policies_are_silent(path: Path) -> None:
    """The shipped policies have no mistakes and no warnings."""
    assert lint(path) == []


EIGHT = """\
version: 1
policies:
  read:
    extends: defalt
    deadlin: 20s
    attempt_timeout: soon
    retry: {max_attempts: 0, backoff: {kind: fast, max: -1s}}
    breaker: {failure_rate: 180%}
  trade: {deadline: 1s, attempt_timeout: 2s}
operations:
  - {match: "x*", policy: raed}
"""


def test_eight_mistakes_give_eight_lines(tmp_path: Path) -> None:
    """Each mistake has a line, a column, a path, and the allowed values."""
    path = written(tmp_path, EIGHT)
    with pytest.raises(PolicyError) as caught:
        Policies.load(path)
    found = [(problem.line, problem.column, problem.path, problem.message) for problem in caught.value.problems]
    assert found == [
        (4, 14, "policies.read.extends", "no policy 'defalt'; did you mean default?"),
        (5, 5, "policies.read.deadlin", "unknown key; did you mean deadline?"),
        (6, 22, "policies.read.attempt_timeout", "expected a duration such as 250ms, 5s, 2m or 1h, got 'soon'"),
        (7, 27, "policies.read.retry.max_attempts", "0 is out of range (1 to 1000)"),
        (7, 46, "policies.read.retry.backoff.kind", "'fast' is not one of constant, linear, exponential, decorrelated"),
        (7, 57, "policies.read.retry.backoff.max", "expected a duration such as 250ms, 5s, 2m or 1h, got '-1s'"),
        (8, 29, "policies.read.breaker.failure_rate", "'180%' is out of range (more than 0%, up to 100%)"),
        (9, 42, "policies.trade.attempt_timeout", "2s is longer than the deadline of 1s"),
        (11, 27, "operations[0].policy", "no policy 'raed'; did you mean read?"),
    ]
    assert str(caught.value).splitlines()[0].startswith(f"{path}:4:14: policies.read.extends: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("# only a comment\n", "the file is empty"),
        ("- a\n", "expected a mapping"),
        ("version: 2\n", "unknown version 2; expected 1"),
        ("policies: {a: {extends: b}, b: {extends: a}}", "inherits from itself"),
        ("policies: {a: {extends: a}}", "inherits from itself: a -> a"),
        ("policies: {a: {deadline: 1s}, a: {deadline: 2s}}", "duplicate key"),
        ("policies: {a: {deadline: 1s, deadline: 2s}}", "duplicate key"),
        ("policies: {a: {deadline: 1s, retry: {backoff: {initial: 2s}}}}", "does not fit into the deadline"),
        ("codes: [bitgett]", "no code registry 'bitgett'"),
        ("policies: {a: {api_secret: xyz}}", "a policy file must not contain secrets"),
        ("policies: {a: 5}", "expected a mapping of settings"),
        ("policies: [a]", "expected a mapping of policies"),
        ("policies: {a: {retry: [1]}}", "expected a mapping"),
        ("policies: {a: {retry: {max_attempts: 1.5}}}", "expected a whole number"),
        ("operations: [{policy: default}]", "needs match"),
        ("policies: {p: {quota: {rate: 1/s}}}", "policies.p.quota: expected a list"),
        ("policies: {p: {quota: [{burst: 2, weight: 3}]}}", "policies.p.quota[0].weight: 3 can never be sent"),
        ("policies: {p: {quota: [{reserve: 95%}]}}", "policies.p.quota[0].reserve: '95%' is out of range"),
        ("policies: {p: {admission: {lanes: [cancel]}}}", "policies.p.admission.lanes: expected a mapping"),
        ("policies: {p: {admission: {lanes: {cancel: {first: 1}}}}}", "policies.p.admission.lanes.cancel.first"),
        ("policies: {p: {admission: {lanes: {a: {}, a: {}}}}}", "policies.p.admission.lanes.a: duplicate key"),
        ("policies: {p: {admission: {max_concurrent: 1, lanes: {a: {reserve: 1}}}}}", "1 slots are reserved"),
        ("policies: !evil {}", "is not allowed"),
        ("a: 1\n---\nb: 2\n", "a second document"),
        ("policies: {a: {deadline: 99999999999999999999}}", "expected a duration"),
        ("policies: " + "{a: " * 60 + "1" + "}" * 60, "levels deep"),
        ("a: &a [x, x]\nb: &b [*a, *a, *a, *a]\n" + "".join(
            f"c{n}: &c{n} [{', '.join(['*' + ('b' if n == 0 else f'c{n - 1}')] * 9)}]\n" for n in range(9)
        ), "aliases expand"),
        (b"version: 1\n\x00", "not YAML"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)  # fmt: skip
def test_files_that_are_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    """Each gets one clear error that names the file."""
    path = written(tmp_path, text)
    with pytest.raises(PolicyError) as caught:
        Policies.load(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_paths_without_a_policy_file(tmp_path: Path) -> None:
    """The message names the reason: missing, a folder, or too large."""
    with pytest.raises(PolicyError, match="cannot be read: No such file"):
        Policies.load(tmp_path / "none.yaml")
    with pytest.raises(PolicyError, match="cannot be read: Is a directory"):
        Policies.load(tmp_path)
    with pytest.raises(PolicyError, match="larger than"):
        Policies.load(written(tmp_path, b"#" * 1_100_000))
    if os.geteuid() != 0:
        path = written(tmp_path, "version: 1")
        path.chmod(0)
        with pytest.raises(PolicyError, match="Permission denied"):
            Policies.load(path)


def test_words_stay_words(tmp_path: Path) -> None:
    """`no` is not a boolean, so `executed: no` needs no quotes."""
    path = written(tmp_path, "policies: {a: {unknown_errors: {executed: no, category: fatal}}}")
    assert load(path).policies["a"].unknown_errors.executed == "no"


def test_a_table_beside_the_file(tmp_path: Path) -> None:
    """A policy may list its own code table by path."""
    written(tmp_path, 'rules: [{code: "E1", category: fatal, executed: no}]', "shop.yaml")
    found = Policies.load(written(tmp_path, "policies: {a: {codes: [./shop.yaml, http]}}"))

    assert found.pipeline("a").classifier.classify({"code": "E1"}).registry == "shop"


def test_a_policy_may_replace_a_built_in_one(tmp_path: Path) -> None:
    """The replacing policy may also extend the built-in one."""
    found = from_mapping({"policies": {"default": {"extends": "default", "deadline": "5s", "attempt_timeout": "1s"}}})
    assert found.policies["default"].deadline == 5.0
    assert found.policies["default"].retry == builtin().policies["default"].retry


def test_warnings(tmp_path: Path) -> None:
    """Settings that have no effect give warnings."""
    path = written(tmp_path, "policies: {a: {deadline: 5s, attempt_timeout: 4s, retry: {}, reconcile: {fence: 10s}}}")
    found = [problem.message for problem in lint(path)]
    assert len(found) == 3
    assert all(message.startswith("warning: ") for message in found)
    assert "cannot all fit" in found[0]
    assert "is reported as unknown" in found[1]
    assert "could be sent twice" in found[2]


def test_a_bad_policy_in_python_names_every_mistake() -> None:
    """Settings are validated when they are created."""
    with pytest.raises(PolicyError) as caught:
        Policy(deadline="soon", retry={"max_attempts": 0})  # type: ignore[arg-type]
    assert [problem.path for problem in caught.value.problems] == ["deadline", "retry.max_attempts"]


WORDS = st.sampled_from(
    [
        "version",
        "codes",
        "policies",
        "operations",
        "extends",
        "default",
        "retry",
        "backoff",
        "deadline",
        "off",
        "1s",
        "20%",
    ]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(WORDS, TREES, max_size=4))
def test_any_mapping_loads_or_is_refused(mapping: dict[str, Any]) -> None:
    """Any mapping becomes policies or raises a PolicyError."""
    problems: object = "none"
    try:
        assert isinstance(from_mapping(mapping), PolicySet)
    except PolicyError as error:
        problems = error.problems
    assert problems


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    """Any text is read or raises a PolicyError."""
    problems = 1
    try:
        read_text(text, "x.yaml")
    except PolicyError as error:
        problems = len(error.problems)
    assert problems == 1


@given(st.dictionaries(st.sampled_from(["deadline", "attempt_timeout"]), st.floats(0.1, 50), max_size=2))
def test_round_trip(values: dict[str, float]) -> None:
    """The values of a mapping come back in the policy."""
    try:
        policy = Policy(name="a", **values)  # type: ignore[arg-type]
    except PolicyError:
        return
    settings = {name: getattr(policy, name) for name in values}
    assert from_mapping({"policies": {"a": settings}}).policies["a"] == policy


def test_many_policies(tmp_path: Path) -> None:
    """Five hundred policies are read like five."""
    text = "policies:\n" + "".join(f"  p{n}: {{extends: default}}\n" for n in range(500))
    assert len(load(written(tmp_path, text)).policies) == 505
