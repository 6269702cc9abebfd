"""The Python reference: each public name is on exactly one page, and the index leads to it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.docs.page_program import PAGES as ALL_PAGES
from tests.docs.page_program import ROOT, blocks, page_id

FOLDER = ROOT / "docs" / "reference"
INDEX = FOLDER / "python.md"
PAGES = [*sorted((FOLDER / "python").glob("*.md")), FOLDER / "streams.md", FOLDER / "testing.md"]
_PUBLIC = """
    resilience resilience.bitget resilience.integrations.foreign_retries resilience.integrations.http
    resilience.outbox resilience.sandbox resilience.streams resilience.telemetry resilience.telemetry.alerts
    resilience.telemetry.inbox resilience.telemetry.opentelemetry resilience.testing resilience.venues
"""
MODULES = [import_module(name) for name in _PUBLIC.split()]
"""Each name in their `__all__` is public."""
INTERNAL = {"Session", "Supervisor"}
"""The parts of `StreamClient`: exported, and for no other use."""
_ENTRY = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)
_LINK = re.compile(r"\[`(\w+)`\]\(([\w./-]+\.md)#([\w.]+)\)")


def entries(page: Path) -> list[str]:
    """Return the dotted paths of the names that a page documents."""
    return _ENTRY.findall(page.read_text(encoding="utf-8"))


def found_at(path: str) -> Any:
    """Return the object at a dotted path."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@cache
def documented_objects() -> list[tuple[str, Any]]:
    """Return every entry of every page with its object."""
    return [(f"{page.name}: {path}", found_at(path)) for page in PAGES for path in entries(page)]


def entries_for(wanted: object) -> list[str]:
    """Return every entry for an object, whatever the path by which its page names it."""
    return [entry for entry, found in documented_objects() if found is wanted]


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in MODULES for name in sorted({*module.__all__} - INTERNAL)]
)
def test_a_public_name_is_on_one_page(module: Any, name: str) -> None:
    """Neither left out nor on two pages, and it has a docstring there."""
    documented = getattr(module, name)
    assert len(entries_for(documented)) == 1
    assert documented.__doc__


def imported_names() -> Iterator[tuple[str, str, str]]:
    """Yield each name that a page's Python imports from the library, with its module."""
    for page in ALL_PAGES:
        for block in blocks(page):
            for node in ast.walk(ast.parse(block.text)) if block.kind == "python" else ():
                if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "resilience":
                    yield from ((page_id(page), node.module or "", alias.name) for alias in node.names)


def test_what_the_docs_import_is_in_the_reference() -> None:
    """A reader can look up every name that an example uses."""
    missing = [(*where, name) for *where, name in imported_names() if not entries_for(found_at(f"{where[1]}.{name}"))]
    assert missing == []


def test_no_name_is_on_two_pages() -> None:
    """An object has one entry, also if it is no name of a package."""
    assert [entry for entry, found in documented_objects() if len(entries_for(found)) != 1] == []


def test_the_index_leads_to_each_name() -> None:
    """The index links each name to its page, in the order of that page, and each page by its title."""
    text = INDEX.read_text(encoding="utf-8")
    for page in PAGES:
        link = page.relative_to(FOLDER).as_posix()
        expected = [(path.rpartition(".")[2], path) for path in entries(page)]
        assert [(name, path) for name, target, path in _LINK.findall(text) if target == link] == expected
        title = page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ").removesuffix(" reference")
        assert f"[{title}]({link})" in text


def test_an_old_link_finds_its_name() -> None:
    """The index has the anchors that the one page had before: a name in lower case."""
    anchors = set(re.findall(r"\{ #(\w+) \}|<a id=\"([\w-]+)\">", INDEX.read_text(encoding="utf-8")))
    names = {first or second for first, second in anchors}
    assert {name.lower() for name in (*MODULES[0].__all__, *MODULES[1].__all__)} - {"api_error_code"} <= names
    assert {"errors", "exchangesupport", "outbox", "sandbox", "send_alerts"} <= names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_begins_with_what_it_is_for(page: Path) -> None:
    """A page says what it is for, what it needs, and where to read how to use it; it has an example."""
    head = page.read_text(encoding="utf-8").split("\n::: ", 1)[0]
    assert re.match(r"# .+\n\n[A-Z`].+", head)
    assert re.search(r"\bneeds? (no|the) extras?\b|needs pytest", head)
    assert re.search(r"\]\((?:\.\./)+(?:howto|strategies|install)", head)
    assert "```python" in head
