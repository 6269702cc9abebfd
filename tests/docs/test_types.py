"""The Python of the README and the docs passes the type checkers that bots are checked with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.page_program import PAGES, ROOT, missing_frameworks, needs_frameworks

_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
pytestmark = pytest.mark.slow


def programs(*, with_frameworks: bool) -> Iterator[tuple[str, str]]:
    """Yield a file name and the program of each page: its blocks in order, on the lines that they have in the page."""
    for page in PAGES:
        if needs_frameworks(page) is not with_frameworks:
            continue
        text, lines = page.read_text(encoding="utf-8"), list[str]()
        for block in _PYTHON.finditer(text):
            before = text.count("\n", 0, block.start(1))
            lines += [""] * (before - len(lines)) + block[1].splitlines()
        if lines:
            name = re.sub(r"\W", "_", page.relative_to(ROOT).with_suffix("").as_posix())
            yield f"{name}.py", "\n".join(lines) + "\n"


@pytest.fixture(params=["pages", "frameworks"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with a program per page, which no settings of this project reach."""
    with_frameworks = request.param == "frameworks"
    if with_frameworks and missing_frameworks():
        pytest.skip("needs the extra `programs`")
    for name, program in programs(with_frameworks=with_frameworks):
        (tmp_path / name).write_text(program, encoding="utf-8")
    return tmp_path


def found_by(folder: Path, *words: str) -> str:
    """Return what a checker prints, or nothing where it finds nothing."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    finished = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    return finished.stdout + finished.stderr if finished.returncode else ""


def test_mypy_strict(folder: Path) -> None:
    """An ordinary strict user can paste any page; what is meant to be wrong says so with a `type: ignore`."""
    names = sorted(path.name for path in folder.glob("*.py"))
    assert found_by(folder, "mypy", "--strict", "--config-file=", "--cache-dir=cache", *names) == ""


def test_pyright(folder: Path) -> None:
    """The same with pyright in its standard mode; basedpyright is pyright with node in its wheel."""
    settings = {"typeCheckingMode": "standard", "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    assert found_by(folder, "basedpyright", "--pythonpath", sys.executable) == ""
