"""Tests of the pages of strategies: the same headings, a picture, and settings with the defaults of the reference."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.page_program import ROOT

FOLDER = ROOT / "docs" / "strategies"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "index.md")
HEADINGS = [
    "What it is for", "When not to use it", "Settings", "Example", "How it works", "Events and metrics",
    "Anti-patterns",
]  # fmt: skip
_ROW = re.compile(r"^\| `(\w+)` \| (.*?) \|", re.MULTILINE)
SECTIONS = {
    "admission": ["admission", "admission.lanes, each entry"],
    "breaker": ["breaker", "breaker.half_open"],
    "budget": ["budget"],
    "cache": ["cache"],
    "fallback": ["fallback"],
    "hedge": ["hedge"],
    "quota-and-holds": ["quota, each entry"],
    "retry": ["retry", "retry.backoff"],
    "time-limits": [],
}
"""The sections of the reference whose settings a page explains, all of them."""


def section(text: str, heading: str) -> str:
    """Return what follows a heading, up to the next one of its level."""
    level = "##" if f"\n## {heading}\n" in text else "###"
    return text.split(f"\n{level} {heading}\n", 1)[1].split(f"\n{level} ", 1)[0]


def settings_of(text: str) -> list[tuple[str, str]]:
    """Return the settings of the tables in a text, each with its default."""
    return _ROW.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_the_headings_in_order_and_a_picture(page: Path) -> None:
    """A reader who knows one page finds everything on the next one."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert re.search(r"^!\[.+\]\(\.\./images/", text.split("\n## ", 1)[0], re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_lists_its_settings_with_their_defaults(page: Path) -> None:
    """The tables have the settings of the reference, which is made from the code, with the same defaults."""
    reference = (ROOT / "docs" / "reference" / "policy-file.md").read_text(encoding="utf-8")
    listed = settings_of(section(page.read_text(encoding="utf-8"), "Settings"))
    expected = [row for name in SECTIONS[page.stem] for row in settings_of(section(reference, name))]
    assert set(expected) <= set(listed)
    assert set(listed) - set(expected) <= set(settings_of(section(reference, "A policy")))


def test_the_overview_lists_every_page() -> None:
    """The overview links each page of the folder."""
    text = (FOLDER / "index.md").read_text(encoding="utf-8")
    assert {page.name for page in PAGES} <= set(re.findall(r"\]\(([\w-]+\.md)\)", text))
