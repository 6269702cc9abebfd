"""Mistakes that hid in what a policy inherits, in a table beside it, or in a mapping."""

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
    """A key that stands twice is a mistake also where the policy extends another: the later one does not win."""
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


def test_a_mistake_that_is_inherited_is_told_once(tmp_path: Path) -> None:
    """One mistake is one line, however many policies inherit it, and it is told where it stands."""
    text = """version: 1
policies:
  c: {extends: b}
  b: {extends: a}
  a:
    deadline: soon
"""
    assert mistakes(tmp_path / "p.yaml", text) == [(6, 15, "policies.a.deadline")]


def test_a_policy_that_extends_itself(tmp_path: Path) -> None:
    """A circle of one is called a circle; a policy named as a built-in one extends that one."""
    path = tmp_path / "p.yaml"
    path.write_text("policies: {a: {extends: a}}\n")
    with pytest.raises(PolicyError, match=r"policies\.a\.extends: inherits from itself: a -> a"):
        Policies.load(path)
    path.write_text("policies: {default: {extends: default, deadline: 70s}}\n")
    assert Policies.load(path).policy("default").retry is not None


def test_a_deadline_that_contradicts_what_is_inherited(tmp_path: Path) -> None:
    """A setting that an inherited one contradicts is told in the user's file, not in a shipped one."""
    path = tmp_path / "p.yaml"
    assert mistakes(path, "version: 1\npolicies:\n  a: {extends: default, deadline: 5s}\n") == [
        (3, 35, "policies.a.attempt_timeout")
    ]
    with pytest.raises(PolicyError, match=r"p\.yaml:3:35: policies\.a\.attempt_timeout: 8s is longer than"):
        Policies.load(path)


def test_an_empty_file_has_a_place(tmp_path: Path) -> None:
    """The mistake of an empty file has a line and a column as every other."""
    assert mistakes(tmp_path / "p.yaml", "") == [(1, 1, "")]


def test_a_mapping_that_holds_itself() -> None:
    """A mapping without an end is refused as a mistake, not with a RecursionError."""
    endless: dict[str, Any] = {}
    endless["policies"] = endless
    with pytest.raises(PolicyError, match="nested more than"):
        Policies.from_mapping(endless)


def test_mistakes_in_a_table_beside_the_file(tmp_path: Path) -> None:
    """A bad code table is found when the policy is loaded; at the first failure it would hide the API's own error."""
    (tmp_path / "own.yaml").write_text('rules:\n  - {code: "1", category: nonsense}\n')
    text = "version: 1\ncodes: [own.yaml]\npolicies: {a: {deadline: x}}\n"
    assert [place[:2] for place in mistakes(tmp_path / "p.yaml", text)] == [(2, 27), (3, 26)]


def test_a_table_that_is_gone_or_changed_later(tmp_path: Path) -> None:
    """A table is read with its policy file: one deleted since is still known, and `reload` takes a new row."""
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
