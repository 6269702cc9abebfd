"""Provides the fixtures of the pytest plugin. The library itself is imported when one of them is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from . import testing  # its names are imported on first use

if TYPE_CHECKING:
    from ._core.base.event import Event
    from ._entry.policies import Policies

__all__ = ["pytest_addoption", "resilience_clock", "resilience_events", "resilience_policies"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the pytest setting `resilience_policies`, the policy file of the tests."""
    parser.addini("resilience_policies", "policy file that the fixture resilience_policies configures", default="")


@pytest.fixture
def resilience_clock() -> testing.FakeClock:
    """A clock that never waits; `resilience_policies` uses it too."""
    return testing.FakeClock()


@pytest.fixture
def resilience_policies(request: pytest.FixtureRequest, resilience_clock: testing.FakeClock) -> Iterator[Policies]:
    """Policies that are configured for this test alone, on `resilience_clock`: no breaker or budget outlives a test.

    The file is the pytest setting `resilience_policies`, relative to pytest's root folder; without it the default
    policies of a process are loaded.
    """
    path = str(request.config.getini("resilience_policies"))
    source = request.config.rootpath / path if path else None
    with testing.fresh_policies(source, clock=resilience_clock) as policies:
        yield policies


@pytest.fixture
def resilience_events(request: pytest.FixtureRequest) -> Iterator[list[Event]]:
    """The events of the configured policies during this test; of `resilience_policies` where the test uses it."""
    if "resilience_policies" in request.fixturenames:
        request.getfixturevalue("resilience_policies")
    with testing.recorded_events() as events:
        yield events
