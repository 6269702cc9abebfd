"""Mistakes in inherited settings, in a code table beside the file, or in a mapping were not found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from resilience import Policies, PolicyError, failure_of


def mistakes(path: Path, text: str) -> list[tuple[int, int, str]]:
    """Load a policy file and return line, column and path of each mistake."""
    path.write_text(text)
    with pytest.raises(PolicyError) as caught:
        Policies.load(path)
    return [(problem.line, problem.column, problem.path) for problem in caught.value.problems]


def test_a_key_repeated_in_a_policy_that_extends(tmp_path: Path) -> None:
    """A duplicate key is a mistake also in a policy that extends another one."""
    text = """version: 1
policies:
  a:
    extends: default
    deadline: 5s
    deadline: 50s
    retry: {max_attempts: 2, max_attempts: 5}
"""
    assert mistakes(tmp_path / "p.yaml", text) == [
        (6, 5, "policies.a.deadline"),
        (7, 30, "policies.a.retry.max_attempts"),
    ]


def test_an_inherited_mistake_is_reported_once(tmp_path: Path) -> None:
    """One mistake is one line at its place in the file, however many policies inherit it."""
    text = """version: 1
policies:
  c: {extends: b}
  b: {extends: a}
  a:
    deadline: soon
"""
    assert mistakes(tmp_path / "p.yaml", text) == [(6, 15, "policies.a.deadline")]


def test_a_policy_that_extends_itself(tmp_path: Path) -> None:
    """A policy that extends itself is a cycle; one named like a built-in policy extends that one."""
    path = tmp_path / "p.yaml"
    path.write_text("policies: {a: {extends: a}}\n")
    with pytest.raises(PolicyError, match=r"policies\.a\.extends: inherits from itself: a -> a"):
        Policies.load(path)
    path.write_text("policies: {default: {extends: default, deadline: 70s}}\n")
    assert Policies.load(path).policy("default").retry is not None


def test_a_deadline_that_contradicts_an_inherited_setting(tmp_path: Path) -> None:
    """The contradiction is reported at the setting in the user's file, not in a shipped file."""
    path = tmp_path / "p.yaml"
    assert mistakes(path, "version: 1\npolicies:\n  a: {extends: default, deadline: 5s}\n") == [
        (3, 35, "policies.a.attempt_timeout")
    ]
    with pytest.raises(PolicyError, match=r"p\.yaml:3:35: policies\.a\.attempt_timeout: 8s is longer than"):
        Policies.load(path)


def test_an_empty_file_has_a_line_and_a_column(tmp_path: Path) -> None:
    """The mistake of an empty file has a line and a column like every other mistake."""
    assert mistakes(tmp_path / "p.yaml", "") == [(1, 1, "")]


def test_a_mapping_that_contains_itself() -> None:
    """A mapping that contains itself is reported as a mistake, not with a RecursionError."""
    endless: dict[str, Any] = {}
    endless["policies"] = endless
    with pytest.raises(PolicyError, match="nested more than"):
        Policies.from_mapping(endless)


def test_mistakes_in_a_table_beside_the_file(tmp_path: Path) -> None:
    """A wrong code table is reported when the policy is loaded, before a failure needs it."""
    (tmp_path / "own.yaml").write_text('rules:\n  - {code: "1", category: nonsense}\n')
    text = "version: 1\ncodes: [own.yaml]\npolicies: {a: {deadline: x}}\n"
    assert [place[:2] for place in mistakes(tmp_path / "p.yaml", text)] == [(2, 27), (3, 26)]


def test_a_table_that_is_gone_or_changed_later(tmp_path: Path) -> None:
    """A table is read with its policy file: a deleted one is still known, and `reload` reads a new row."""
    table, path = tmp_path / "own.yaml", tmp_path / "p.yaml"
    row = 'rules:\n  - {{code: "7001", category: {}, executed: "no"}}\n'
    table.write_text(row.format("fatal"))
    path.write_text("version: 1\npolicies: {a: {codes: [own.yaml]}}\n")
    policies = Policies.load(path)
    table.unlink()

    @policies.resilient("a")
    def refused() -> None:
        raise RuntimeError('{"code": "7001"}')

    def category() -> str:
        with pytest.raises(RuntimeError) as caught:
            refused()
        return failure_of(caught.value).category.value

    assert category() == "fatal"
    table.write_text(row.format("user_fixable"))
    policies.reload()
    assert category() == "user_fixable"
