"""The pytest plugin: two fixtures, and no import of the library before one of them is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ._core.events import Event
    from .testing import FakeClock

__all__ = ["resilience_clock", "resilience_events"]


@pytest.fixture
def resilience_clock() -> FakeClock:
    """Give a clock that never waits: hand it to `Policies.load(path, clock=…)`."""
    from .testing import FakeClock

    return FakeClock()


@pytest.fixture
def resilience_events() -> Iterator[list[Event]]:
    """Give the list of events that the configured policies tell during this test."""
    from .testing import recorded_events

    with recorded_events() as events:
        yield events
