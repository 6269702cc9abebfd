"""Reads the code blocks of a page, and runs them as one program: `python -m tests.docs.page_program PAGE`.

It needs nothing but the library, so that it runs in an environment without pytest.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import requests

from resilience import Policies, configure
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


def needs_frameworks(page: Path) -> bool:
    """Whether a page needs the extra `programs`, which `dev` lacks."""
    return "resilience-middleware[programs]" in page.read_text(encoding="utf-8") and page.name != "README.md"


def missing_frameworks() -> list[str]:
    """Return the packages of the extra `programs` that are not installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    missing = []
    for requirement in project["optional-dependencies"]["programs"]:
        name = re.split(r"[\[<>=;! ]", requirement)[0]
        try:
            distribution(name)
        except PackageNotFoundError:
            missing.append(name)
    return missing


@contextmanager
def offline_world() -> Iterator[None]:
    """Use the built-in policies; every request of `requests` but those to loopback gets a 200."""
    real = requests.adapters.HTTPAdapter.send

    def answer(adapter: Any, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        if str(request.url).startswith("http://127.0.0.1:"):
            return real(adapter, request, **options)
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, str(request.url)
        response._content = b'{"id": "7"}'
        return response

    with patch.object(requests.adapters.HTTPAdapter, "send", answer), fresh_policies():
        configure(Policies.builtin())  # on the real clock, which streams and the sandbox need
        yield


def run_page(page: Path) -> None:
    """Write the page's YAML files into the working directory, and run its Python blocks in order."""
    names: dict[str, object] = {"__name__": "page"}
    with no_waits():
        for block in blocks(page):
            if block.kind == "yaml" and (name := _FILE.match(block.text)):
                Path(name[1]).write_text(block.text, encoding="utf-8")
            if block.kind == "python":
                source = "\n" * (block.line - 1) + block.text
                exec(compile(source, str(page), "exec", dont_inherit=True), names)


if __name__ == "__main__":
    with offline_world():
        run_page(Path(sys.argv[1]))
