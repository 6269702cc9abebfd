"""Every broken file of tests/data/broken is told off at its line, in these very words; shipped files are not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resilience.bitget.operations import OPERATIONS
from resilience.config.lint import lint
from resilience.errors import Problem

ROOT = Path(__file__).parents[2]
BROKEN = sorted((ROOT / "tests" / "data" / "broken").glob("*.yaml"))
FINE = sorted((ROOT / "policies").rglob("*.yaml"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_NAMED = re.compile(r"# ([\w.-]+\.yaml)\n")
_EXPECTED = re.compile(rb"^# expect: (.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable that some files name is set, another is not."""
    monkeypatch.setenv("BROKEN_VALUE", "hunter2-and-more")
    monkeypatch.delenv("UNSET_VARIABLE", raising=False)


def told(problem: Problem) -> str:
    """Write a problem as the files expect it."""
    return f"{problem.line}:{problem.column}: " + (f"{problem.path}: " if problem.path else "") + problem.message


def test_there_are_sixty_and_more() -> None:
    """Each file is broken in a way of its own."""
    expected = {path: _EXPECTED.findall(path.read_bytes()) for path in BROKEN}
    assert len(BROKEN) >= 60
    assert all(expected.values())


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file(path: Path) -> None:
    """All that is wrong is told at once: line, column, path and message, and nothing else is."""
    expected = [line.decode() for line in _EXPECTED.findall(path.read_bytes())]
    problems = lint(path, names=OPERATIONS)
    assert [told(one) for one in problems] == expected
    assert {one.file for one in problems} == {str(path)}
    assert "hunter2" not in "".join(map(str, problems))


@pytest.mark.parametrize("path", FINE, ids=lambda path: path.stem)
def test_a_shipped_file(path: Path) -> None:
    """Nothing is to be said against what is shipped."""
    assert lint(path, names=OPERATIONS) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_policy_files_of_the_docs(page: Path, tmp_path: Path) -> None:
    """Nothing is to be said against what people copy from a page."""
    for found in re.finditer(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        named = _NAMED.match(found[1])
        path = tmp_path / (named[1] if named else "bot.yaml")
        path.write_text(found[1], encoding="utf-8")
        assert lint(path, names=OPERATIONS) == []
