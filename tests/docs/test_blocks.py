"""Every code block of the README and the docs runs."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
import requests

from resilience import Policies, cli, configure
from resilience.testing import fresh_policies, no_waits

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# ([\w.-]+\.yaml)\n")


class Block(NamedTuple):
    """One fenced block of a page."""

    kind: str
    line: int
    text: str


def blocks(page: Path) -> Iterator[Block]:
    """Yield a page's blocks with the line on which each begins."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        yield Block(match[1], text.count("\n", 0, match.start(2)) + 1, match[2])


def page_id(page: Path) -> str:
    """Return a page's path as test ids show it."""
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def isolated_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use an empty working directory and the built-in policies; every request but those to loopback gets a 200."""
    real = requests.adapters.HTTPAdapter.send

    def answer(adapter: Any, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if str(request.url).startswith("http://127.0.0.1:"):
            return real(adapter, request, **options)
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, str(request.url)
        response._content = b'{"id": "7"}'
        return response

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RESILIENCE_POLICIES", raising=False)
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", answer)
    with fresh_policies(), patch.dict(os.environ):  # both restore what was there before the page
        configure(Policies.builtin())  # on the real clock, which streams and the sandbox need
        yield


@pytest.mark.parametrize("page", PAGES, ids=page_id)
@pytest.mark.usefixtures("isolated_process")
def test_python_blocks_run(page: Path) -> None:
    """A page is one program: its YAML files are written, and its Python blocks run in order."""
    names: dict[str, object] = {"__name__": "page"}
    with no_waits():
        for block in blocks(page):
            if block.kind == "yaml" and (name := _FILE.match(block.text)):
                Path(name[1]).write_text(block.text, encoding="utf-8")
            if block.kind == "python":
                source = "\n" * (block.line - 1) + block.text
                exec(compile(source, str(page), "exec", dont_inherit=True), names)


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


def test_the_two_commands_of_the_readme() -> None:
    """They install extras that exist, and CI runs the tests the same way."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r"'\.\[(\w+)\]'", readme)) == {"cli", "dev"} <= set(extras)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "-e '.[dev]'" in script
    assert script.splitlines()[-1].startswith('"$bin/python" -m pytest')
