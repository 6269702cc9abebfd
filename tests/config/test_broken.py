"""Each file in tests/data/broken gets exactly the mistakes that it expects; shipped files and docs get none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
FINE = [path for path in sorted((ROOT / "policies").rglob("*.yaml")) if path.parent.name != "venues"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
POLICIES, TABLES = (jsonschema.Draft202012Validator(one) for one in (policy_schema(), code_schema()))
_NAMED = re.compile(r"# ([\w.-]+\.yaml)\n")
_EXPECTED = re.compile(rb"^# expect: (.*)$", re.MULTILINE)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some files use two variables: one is set, the other is not."""
    monkeypatch.setenv("BROKEN_VALUE", "hunter2-and-more")
    monkeypatch.delenv("UNSET_VARIABLE", raising=False)


def in_words(problem: Problem) -> str:
    """Return a problem in the form that the files expect."""
    return f"{problem.line}:{problem.column}: " + (f"{problem.path}: " if problem.path else "") + problem.message


def test_there_are_sixty_and_more() -> None:
    """Each file has at least one expected mistake."""
    expected = {path: _EXPECTED.findall(path.read_bytes()) for path in BROKEN}
    assert len(BROKEN) >= 60
    assert all(expected.values())


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_file(path: Path) -> None:
    """All its mistakes are reported together, with line, column, path and message, and no others."""
    expected = [line.decode() for line in _EXPECTED.findall(path.read_bytes())]
    problems = lint(path, names=OPERATIONS)
    assert len(problems) == len(expected)
    for one, line in zip(problems, expected, strict=True):
        assert in_words(one) == line or (line.endswith(" ...") and in_words(one).startswith(line[:-3]))
    assert {one.file for one in problems} == {str(path)}
    assert "hunter2" not in "".join(map(str, problems))


@pytest.mark.parametrize("path", FINE, ids=lambda path: path.stem)
def test_a_shipped_file(path: Path) -> None:
    """A shipped file has no mistakes and no warnings, except for classes of packages that are not installed here."""
    assert _problems(path) == []


def _problems(path: Path) -> list[Any]:
    return [one for one in lint(path, names=OPERATIONS) if "no exception class" not in one.message]


def policy_files(page: Path, folder: Path) -> Iterator[Path]:
    """Write the YAML blocks of a page to files, and yield the path of each."""
    found = re.findall(r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    names = [named[1] if (named := _NAMED.match(text)) else "unnamed.yaml" for text in found]
    for ready in (False, True):
        for name, text in zip(names, found, strict=True):
            (folder / name).write_text(text, encoding="utf-8")
            if ready:
                yield folder / name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_policy_files_of_the_docs(page: Path, tmp_path: Path) -> None:
    """The policy files of a page have no problems except those that the page shows."""
    text = page.read_text("utf-8")
    for path in policy_files(page, tmp_path):
        root = read_file(path)
        if root is not None and "incidents" in root.plain:
            continue  # a scenario, which simulate reads
        if root is not None and "writes" in root.plain:
            continue  # an exchange; see tests/venues
        if root is not None and "scrape_configs" in root.plain:
            continue  # a file of Prometheus
        problems = _problems(path)
        assert [one for one in problems if f"{path.name}:{one.line}:{one.column}: {one.path}" not in text] == []
        if root is not None and not any(one.severity == "error" for one in problems):
            validator = TABLES if "rules" in root.plain else POLICIES
            assert list(validator.iter_errors(root.plain)) == []
