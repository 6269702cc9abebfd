"""Every code block of the README and the docs runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from resilience import cli
from tests.docs.page_program import (
    PAGES,
    ROOT,
    blocks,
    missing_frameworks,
    needs_frameworks,
    offline_world,
    page_id,
    run_page,
)


@pytest.fixture
def isolated_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use an empty working directory, no environment of the user, and no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESILIENCE_POLICIES", raising=False)
    with patch.dict(os.environ), offline_world():  # both restore what was there before the page
        yield


@pytest.mark.parametrize("page", PAGES, ids=page_id)
@pytest.mark.usefixtures("isolated_process")
def test_python_blocks_run(page: Path) -> None:
    """A page is one program: its YAML files are written, and its Python blocks run in order."""
    if needs_frameworks(page):
        pytest.skip("the test below runs it in a process of its own: frameworks patch and configure the process")
    run_page(page)


@pytest.mark.parametrize("page", [page for page in PAGES if needs_frameworks(page)], ids=page_id)
def test_blocks_with_frameworks_run(page: Path, tmp_path: Path) -> None:
    """A page that needs the extra `programs` runs where that is installed."""
    if missing := missing_frameworks():
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'resilience-middleware[programs]'")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("RESILIENCE_POLICIES", None)
    command = [sys.executable, "-m", "tests.docs.page_program", str(page)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "never awaited" not in done.stderr
    assert "never retrieved" not in done.stderr


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_block_has_a_known_language(page: Path) -> None:
    """A block in another language would not be tested."""
    fences = re.findall(r"^\s*```(\S*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(fences[::2]) <= {"python", "sh", "yaml", "text"}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield the position and the words of every `resilience …` command in a shell block."""
    for page in PAGES:
        for block in blocks(page):
            for offset, line in enumerate(block.text.splitlines() if block.kind == "sh" else ()):
                for part in re.sub(r" > \S+| &$", "", line).split("&&"):
                    words = shlex.split(part)
                    if words and words[0].endswith("resilience"):
                        yield f"{page_id(page)}:{block.line + offset}", words[1:]


@pytest.mark.parametrize(("position", "words"), list(commands()))
def test_shell_lines_parse(position: str, words: list[str]) -> None:
    """The command exists and takes these options; it is not run."""
    assert cli.parser_of(words[0]).parse_args(words[1:]), position


def test_the_three_commands_of_the_readme() -> None:
    """They install extras that exist, and CI runs the tests the same way."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"'\.\[(\w+)\]'", readme)) == {"cli", "console", "test"} <= set(extras)
    assert extras["dev"][0] == "resilience-middleware[docs,test]"
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "-e '.[dev]'" in script
    assert script.splitlines()[-1].startswith('"$bin/python" -m pytest')
