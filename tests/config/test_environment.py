"""Environment variables in policy files: filled in, reported by name if missing, and never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resilience import Policies, PolicyError
from resilience.config.checks.lint import lint
from resilience.config.loading.policy_file import from_mapping

SECRET = "hunter2-and-a-lot-more"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets some variables and removes one."""
    for name, value in {
        "LIMIT": "12s",
        "TRIES": "4",
        "SHARE": "20%",
        "EMPTY": "",
        "HELD": SECRET,
        "COST": "$5",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("UNSET", raising=False)


def problems(mapping: dict[str, Any]) -> list[tuple[str, str]]:
    """Return path and message of each mistake in a mapping."""
    with pytest.raises(PolicyError) as caught:
        from_mapping(mapping)
    return [(one.path, one.message) for one in caught.value.problems]


def test_values_of_every_kind() -> None:
    """A variable may be a duration, a count, a ratio, a switch, a word, a name or a part of one."""
    found = from_mapping(
        {
            "policies": {
                "a": {
                    "deadline": "${LIMIT}",
                    "retry": {"max_attempts": "${TRIES}", "backoff": {"kind": "${KIND:-linear}"}},
                    "budget": "${BUDGET:-off}",
                    "breaker": {"failure_rate": "${SHARE}", "when_open": "${WAIT:-wait_retries}"},
                    "quota": [{"rate": "${TRIES}0/s", "name": "orders-${TRIES}"}],
                }
            },
            "operations": [{"match": "${PREFIX:-fetch}_*", "policy": "${NAME:-a}"}],
        }
    )
    one = found.policies["a"]
    assert one.retry is not None
    assert one.breaker is not None
    assert (one.deadline, one.retry.max_attempts, one.retry.backoff.kind) == (12.0, 4, "linear")
    assert (one.budget, one.breaker.failure_rate, one.breaker.when_open) == (None, 0.2, "wait_retries")
    assert (one.quota[0].rate, one.quota[0].name) == (40.0, "orders-4")
    assert (found.operations[0].match, found.operations[0].policy) == ("fetch_*", "a")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${EMPTY:-7s}", "7s"),
        ("${UNSET:-}", None),
        ("$$", "$"),
        ("$${LIMIT}", "${LIMIT}"),
        ("$$${TRIES}", "$4"),
        ("a$b", "a$b"),
        ("$LIMIT", "$LIMIT"),
        ("${COST}", "$5"),
        ("${LIMIT}${TRIES}", "12s4"),
        ("${UNSET:-a:-b}", "a:-b"),
    ],
)
def test_spelling(text: str, value: str | None) -> None:
    """An empty variable counts as missing, $$ is a dollar sign, and a value is not expanded again."""
    assert from_mapping({"policies": {"a": {"attempt_header": text}}}).policies["a"].attempt_header == value


def test_aliases_are_filled_once(tmp_path: Path) -> None:
    """A value that an alias repeats is filled in once."""
    path = tmp_path / "p.yaml"
    path.write_text("policies: {a: {attempt_header: &h '$$$$x'}, b: {attempt_header: *h}}")
    policies = Policies.load(path)
    assert {policies.policy(name).attempt_header for name in "ab"} == {"$$x"}


@pytest.mark.parametrize("text", ["${UNSET}", "${EMPTY}", "x${UNSET}y"])
def test_a_missing_variable_is_named_once(text: str) -> None:
    """A missing or empty variable without a default is one mistake at its position."""
    (problem,) = problems({"policies": {"a": {"retry": {"max_attempts": text}}}})
    assert problem[0] == "policies.a.retry.max_attempts"
    assert "is not set" in problem[1]


@pytest.mark.parametrize("text", ["${", "${}", "${5}", "${A B}", "${A", "${A:7}"])
def test_a_variable_written_wrong(text: str) -> None:
    """The message about a malformed variable shows the syntax."""
    (problem,) = problems({"policies": {"a": {"deadline": text}}})
    assert "${NAME}" in problem[1]


@pytest.mark.parametrize(
    "mapping",
    [
        {"version": "${HELD}"},
        {"codes": ["${HELD}"]},
        {"policies": {"a": {"extends": "${HELD}"}}},
        {"policies": {"a": {"deadline": "${HELD}"}}},
        {"policies": {"a": {"retry": "${HELD}"}}},
        {"policies": {"a": {"retry": {"max_attempts": "${HELD}"}}}},
        {"policies": {"a": {"retry": {"backoff": {"kind": "${HELD}"}}}}},
        {"policies": {"a": {"quota": [{"key": "${HELD}"}]}}},
        {"policies": {"a": {"quota": "${HELD}"}}},
        {"policies": {"a": {"hedge": {"threads": "${HELD}"}}}},
        {"policies": {"a": {"stages": ["${HELD}"]}}},
        {"policies": {"a": {"unknown_errors": {"category": "${HELD}"}}}},
        {"policies": "${HELD}"},
        {"operations": "${HELD}"},
        {"operations": [{"match": "x", "policy": "${HELD}"}]},
        {"operations": [{"match": "x", "idempotent": "no-${HELD}"}]},
    ],
)
def test_no_message_shows_what_a_variable_holds(mapping: dict[str, Any]) -> None:
    """The value may be a secret, so messages show the variable's name."""
    problem = str(problems(mapping))
    assert "hunter2" not in problem
    assert "a lot" not in problem


def test_warnings_do_not_show_it_either(tmp_path: Path) -> None:
    """A warning names the variable too."""
    path = tmp_path / "p.yaml"
    path.write_text(
        'version: 1\noperations:\n  - {match: "${HELD}*", policy: default, lane: "${HELD}"}\n  - {match: "${HELD}x"}\n'
    )
    problem = "".join(map(str, lint(path)))
    assert problem.count("warning: ") == 2
    assert "${HELD}" in problem
    assert "hunter2" not in problem


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8, max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_whatever_it_holds_it_is_not_shown(monkeypatch: pytest.MonkeyPatch, held: str) -> None:
    """That holds for any value, however a message would write it."""
    marked = f"{held}-q7z-{held}"
    monkeypatch.setenv("HELD", marked)
    for mapping in ({"deadline": "${HELD}"}, {"retry": {"backoff": {"kind": "${HELD}"}}}, {"extends": "${HELD}"}):
        assert "q7z" not in str(problems({"policies": {"a": mapping}}))


def test_a_misspelt_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that was meant is named, but not one that holds a secret, and no value."""
    monkeypatch.setenv("BOT_DEADLINE", "3s")
    monkeypatch.setenv("BOT_API_SECRET", SECRET)
    found = problems({"policies": {"p": {"deadline": "${BOT_DEADLNE}", "attempt_timeout": "${BOT_API_SECRT}"}}})
    assert [message.partition("; ")[2] for _, message in found] == [
        "did you mean BOT_DEADLINE, which is set?",
        "write ${BOT_API_SECRT:-default} to give one",
    ]
