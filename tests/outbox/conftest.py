"""Provides an outbox in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from resilience.outbox import Outbox


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of an outbox that does not exist yet."""
    return tmp_path / "bot.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    """Open an outbox at that path."""
    box = Outbox(path)
    yield box
    box.close()
