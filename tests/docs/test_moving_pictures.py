"""Moving pictures of the docs are committed small, move slowly, and have a still one beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.page_program import PAGES, ROOT

MOVING = sorted((ROOT / "docs" / "images").glob("*.webp"))
_MAX_BYTES = 400_000
_FRAME_HEADER = 16  # bytes of a frame before its image: place, size, how long it is shown, and flags


def chunks(riff: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each chunk of a WebP file."""
    assert riff[:4] == b"RIFF"
    assert riff[8:12] == b"WEBP"
    at = 12
    while at < len(riff):
        size = int.from_bytes(riff[at + 4 : at + 8], "little")
        yield riff[at : at + 4].decode(), riff[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


@pytest.mark.parametrize("moving", MOVING, ids=lambda moving: moving.stem)
def test_a_moving_picture_is_small_and_slow(moving: Path) -> None:
    """It has 6 to 12 frames of 1.5 to 6 seconds, each without loss, and a page loads it without a wait."""
    assert moving.stat().st_size <= _MAX_BYTES
    frames = [content for name, content in chunks(moving.read_bytes()) if name == "ANMF"]
    assert 6 <= len(frames) <= 12
    for frame in frames:
        assert 1500 <= int.from_bytes(frame[12:15], "little") <= 6000
        assert frame[_FRAME_HEADER : _FRAME_HEADER + 4] == b"VP8L"


@pytest.mark.parametrize("moving", MOVING, ids=lambda moving: moving.stem)
def test_a_moving_picture_has_a_still_one_and_is_described(moving: Path) -> None:
    """The still one has the same size in pixels; each page that shows the moving one says what happens in it."""
    canvas = next(content for name, content in chunks(moving.read_bytes()) if name == "VP8X")
    size = [1 + int.from_bytes(canvas[at : at + 3], "little") for at in (4, 7)]
    still = moving.with_suffix(".png").read_bytes()
    assert [int.from_bytes(still[at : at + 4], "big") for at in (16, 20)] == size
    described = re.compile(rf'!\[(.{{80,}})\]\([^)]*{moving.name}\)|{moving.name}" alt="([^"]{{80,}})"')
    assert "README.md" in {page.name for page in PAGES if described.search(page.read_text("utf-8"))}


def test_the_readme_shows_pictures_that_are_there() -> None:
    """Its relative pictures exist, those for reduced motion too."""
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = re.findall(r'!\[[^\]]*\]\((?!https?:)([^)]+)\)|(?:src|srcset)="([^"]+)"', readme)
    names = [one or other for one, other in shown]
    assert len(names) >= 3
    assert [name for name in names if not (ROOT / name).is_file()] == []
