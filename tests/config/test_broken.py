"""Every broken file of tests/data/broken is told off at its line, in these very words; shipped files are not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from resilience.bitget.operations import OPERATIONS
from resilience.config.checks.lint import lint
from resilience.config.loading.yaml_reader import read_file
from resilience.config.schema.code_table_schema import code_schema
from resilience.config.schema.policy_schema import policy_schema
from resilience.errors import Problem

ROOT = Path(__file__).parents[2]
BROKEN = sorted((ROOT / "tests" / "data" / "broken").glob("*.yaml"))
FINE = sorted((ROOT / "policies").rglob("*.yaml"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
POLICIES, TABLES = (jsonschema.Draft202012Validator(one) for one in (policy_schema(), code_schema()))
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
    assert len(problems) == len(expected)
    for one, line in zip(problems, expected, strict=True):
        assert told(one) == line or (line.endswith(" ...") and told(one).startswith(line[:-3]))
    assert {one.file for one in problems} == {str(path)}
    assert "hunter2" not in "".join(map(str, problems))


@pytest.mark.parametrize("path", FINE, ids=lambda path: path.stem)
def test_a_shipped_file(path: Path) -> None:
    """Nothing is to be said against what is shipped."""
    assert lint(path, names=OPERATIONS) == []


def policy_files(page: Path, folder: Path) -> Iterator[Path]:
    """Write the YAML blocks of a page, and yield each once more when the others are there."""
    found = re.findall(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    names = [named[1] if (named := _NAMED.match(text)) else "unnamed.yaml" for text in found]
    for ready in (False, True):
        for name, text in zip(names, found, strict=True):
            (folder / name).write_text(text, encoding="utf-8")
            if ready:
                yield folder / name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_policy_files_of_the_docs(page: Path, tmp_path: Path) -> None:
    """Nothing is to be said against what people copy from a page, but for what the page itself shows check to say."""
    text = page.read_text("utf-8")
    for path in policy_files(page, tmp_path):
        root = read_file(path)
        if root is not None and "troubles" in root.plain:
            continue  # a scenario, which simulate reads
        problems = lint(path, names=OPERATIONS)
        assert [one for one in problems if f"{path.name}:{one.line}:{one.column}: {one.path}" not in text] == []
        if root is not None and not any(one.severity == "error" for one in problems):
            validator = TABLES if "rules" in root.plain else POLICIES
            assert list(validator.iter_errors(root.plain)) == []
