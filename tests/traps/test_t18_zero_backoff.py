"""A default backoff of zero overloads a service that is already overloaded."""

from __future__ import annotations

import pytest
import tenacity

from resilience import Policies
from resilience.testing import FakeClock


class Overloaded(Exception):
    """A 503 response."""

    status_code = 503
    headers = {"Retry-After": "0"}  # noqa: RUF012  # a class of one test


def test_naive() -> None:
    """Tenacity's default does not wait between attempts."""
    sleeps: list[float] = []
    retrying = tenacity.Retrying(stop=tenacity.stop_after_attempt(5), sleep=sleeps.append, reraise=True)
    with pytest.raises(Overloaded):
        retrying(_down)
    assert sum(sleeps) == 0


@pytest.mark.parametrize("name", ["default", "http", "bitget", "ccxt"])
def test_ours(name: str) -> None:
    """Every built-in policy waits, and waits longer each time."""
    retry = Policies.builtin().policy(name).retry
    assert retry is not None
    assert retry.backoff.initial > 0
    assert retry.backoff.factor > 1
    clock = FakeClock()
    with pytest.raises(Overloaded):
        Policies.builtin(clock=clock).resilient(name, idempotent=True)(_down)()
    assert len(clock.sleeps) >= 1
    assert all(delay > 0 for delay in clock.sleeps)


def _down() -> None:
    raise Overloaded
