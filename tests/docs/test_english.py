"""Docs, docstrings, comments and messages are plain technical English: words and habits that were dropped stay out."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.docs.page_program import ROOT

DROPPED: Mapping[str, str] = {
    r"\btold\b": "sent, reported, logged, distinguished",
    r"\b(?:heard|hears)\b": "received, gets",
    r"\b(?:\d[\d,.]*|requests|calls|permits|retries) an? (?:second|minute|hour|day)\b": "per second",
    r"\b(?:an?|one|each|early|next|last|first|two|\d+|between|the) looks?\b": "lookup, check",
    r"\b(?:expected|needs|is not) a text\b": "a string",
    r"(?:^|[.:] )(?-i:Who) \w+ (?!.*\?)": "a sentence that names who it is about",
    r"\bstands? (?:here|before|at|behind|once|twice|alone|in (?:a|the|his|its)\b(?! way))": "is",
    r"\bconfig(?:uration)? room\b": "the package's name",
    r"\bnext to nothing\b": "very little",
    r"\bturned away\b|\bshut out\b": "rejected",
    r"\bunder (?:the same|one) roof\b|\bother colou?r\b|\bat birth\b|\bthe law of this\b|\bin peace\b": "plain words",
    r"\bthat were (?:ten|one|two|three)\b": "that was",
}
"""What is not written, as a pattern, and what is written instead."""
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
NOT_OURS = {"CHANGELOG.md", "changelog.md"}
"""Lines of the changelog belong to the versions in which they were written."""
_STRINGS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)}  # since CPython 3.12
_CODE = re.compile(r"`[^`]*`")


def prose_of_page(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a page without its blocks and without code in the line."""
    is_code = False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        is_fence = line.lstrip().startswith("```")
        is_code ^= is_fence
        if not is_code and not is_fence:
            yield number, _CODE.sub("``", line)


def prose_of_module(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of the docstrings, comments and other strings of a module."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type in _STRINGS:
            for number, line in enumerate(token.string.splitlines(), token.start[0]):
                yield number, _CODE.sub("``", line)


def prose() -> Iterator[tuple[str, int, str]]:
    """Yield every line of prose with its file and number."""
    for page in PAGES:
        if page.name not in NOT_OURS:
            yield from ((page.relative_to(ROOT).as_posix(), *line) for line in prose_of_page(page))
    for module in ROOT.glob("resilience/**/*.py"):
        yield from ((module.relative_to(ROOT).as_posix(), *line) for line in prose_of_module(module))
    for table in ROOT.glob("policies/**/*.yaml"):
        lines = enumerate(table.read_text("utf-8").splitlines(), 1)
        yield from ((table.relative_to(ROOT).as_posix(), *line) for line in lines)


@pytest.mark.slow  # it reads every line of prose
def test_dropped_words_stay_out() -> None:
    """No page, docstring, comment, message or remedy has them; the message says what to write instead."""
    any_of_them = re.compile("|".join(DROPPED), re.IGNORECASE)
    found = [line for line in prose() if any_of_them.search(line[2])]
    assert [f"{file}:{number}: write {instead_of(text)}: {text.strip()}" for file, number, text in found] == []


def instead_of(text: str) -> str:
    """Return what to write instead of the first dropped word of a line."""
    return next(instead for pattern, instead in DROPPED.items() if re.search(pattern, text, re.IGNORECASE))


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("Who waits for the quota holds nothing.", "a sentence that names who it is about"),
        ("A write only after a look.", "lookup, check"),
        ("What the store is told.", "sent, reported, logged, distinguished"),
        ("A limit of 100 a second.", "per second"),
        ("expected a text", "a string"),
        ("The setting stands here twice.", "is"),
    ],
)
def test_a_dropped_word_is_found(line: str, instead: str) -> None:
    """The patterns find the sentences that they are for."""
    assert instead_of(line) == instead


@pytest.mark.parametrize(
    "line",
    [
        "Who is this for?",
        "Look a write up before you send it again.",
        "An order that stands in the way.",
        "Wait a second.",
    ],
)
def test_plain_english_is_left_alone(line: str) -> None:
    """The patterns find nothing in these."""
    assert not re.search("|".join(DROPPED), line, re.IGNORECASE)
