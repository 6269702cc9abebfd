"""The pytest plugin: fixtures, and no import of the library before one of them is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from ._core.base.events import Event
    from ._entry.policies import Policies
    from .testing import FakeClock

__all__ = ["pytest_addoption", "resilience_clock", "resilience_events", "resilience_policies"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `resilience_policies = bot.yaml` in pytest's settings name the policy file of the tests."""
    parser.addini("resilience_policies", "policy file that the fixture resilience_policies configures", default="")


@pytest.fixture
def resilience_clock() -> FakeClock:
    """Give a clock that never waits; `resilience_policies` goes by it too."""
    from .testing import FakeClock

    return FakeClock()


@pytest.fixture
def resilience_policies(request: pytest.FixtureRequest, resilience_clock: FakeClock) -> Iterator[Policies]:
    """Configure policies for this test alone, on `resilience_clock`: no breaker or budget outlives a test.

    The file is `resilience_policies` of pytest's settings, from its root folder; without it what an
    unconfigured process takes.
    """
    from .testing import fresh_policies

    named = str(request.config.getini("resilience_policies"))
    with fresh_policies(request.config.rootpath / named if named else None, clock=resilience_clock) as policies:
        yield policies


@pytest.fixture
def resilience_events(request: pytest.FixtureRequest) -> Iterator[list[Event]]:
    """Give the list of events that the configured policies (`resilience_policies` where used) tell during this test."""
    from .testing import recorded_events

    if "resilience_policies" in request.fixturenames:
        request.getfixturevalue("resilience_policies")
    with recorded_events() as events:
        yield events
