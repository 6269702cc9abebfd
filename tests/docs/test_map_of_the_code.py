"""The map of the code lists every module of the library once, and nothing that does not exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / "resilience"
PAGE = ROOT / "docs" / "explanation" / "map-of-the-code.md"
_FOLDER = re.compile(r"^#+ .*`((?:\w+/)+)`")
_ROW = re.compile(r"^\| `([\w./-]+)` \| (.+) \| (.+) \|$")


def listing() -> list[str]:
    """Return every module and package of the library, packages with a slash; an `__init__` belongs to its package."""
    modules = [path.relative_to(LIBRARY) for path in LIBRARY.rglob("*.py")]
    packages = [path.parent for path in modules if path.name == "__init__.py" and path.parent != Path()]
    return sorted([f"{path}/" for path in packages] + [str(path) for path in modules if path.name != "__init__.py"])


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield each path of the tables, relative to the library's folder, what it does, and when to change it."""
    folder = ""
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("#"):
            heading = _FOLDER.match(line)
            folder = "" if heading is None else heading[1].removeprefix("resilience/")
        elif row := _ROW.match(line):
            yield folder + row[1], row[2], row[3]


def test_every_module_is_on_the_map_exactly_once() -> None:
    """A module that is added, moved or deleted is a row that is added, moved or deleted."""
    assert sorted(path for path, *_ in rows()) == listing()


def test_every_module_has_a_sentence_and_a_reason_to_change_it() -> None:
    """What a module does is a whole sentence."""
    assert [path for path, does, change in rows() if not (re.match(r"\S.{15,}\.$", does) and len(change) > 10)] == []


def test_every_path_in_the_prose_exists() -> None:
    """Files that the page names elsewhere exist: below the library's folder or below the root."""
    named = set()
    for line in PAGE.read_text("utf-8").splitlines():
        if not _ROW.match(line) and not line.startswith("#"):
            named |= set(re.findall(r"`([\w.-]+(?:/[\w.-]+)*(?:/|\.py|\.yaml|\.yml|\.md))`", line))
    assert {path for path in named if not (LIBRARY / path).exists() and not (ROOT / path).exists()} == set()
