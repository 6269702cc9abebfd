"""A ban is kept only where the policy happens to have a quota, or not at all: each request makes it longer."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from resilience import Policies, wrap
from resilience.testing import FakeClock
from tests.integrations.server import Server, answer

QUOTA = [{"rate": "1000/s", "burst": 1000, "key": "host"}]
POLLS, BAN = 30, "120"


def session() -> requests.Session:
    """Return a session that no proxy of this machine is used for."""
    plain = requests.Session()
    plain.trust_env = False
    return plain


@pytest.mark.parametrize("status", [418, 429])
def test_naive(status: int) -> None:
    """A poller that looks at each answer by itself sends all of its polls."""
    with Server(answer(status, Retry_After=BAN)) as server, session() as plain:
        for _ in range(POLLS):
            assert plain.get(server.url).status_code == status
        assert len(server.requests) == POLLS


@pytest.mark.parametrize("status", [418, 429])
@pytest.mark.parametrize("quota", [[], QUOTA], ids=["no quota", "quota"])
def test_ours_sends_nothing_after_the_first(status: int, quota: Any) -> None:
    """Of thirty polls, a second apart, in a ban of two minutes only the first is sent; the next one after it is."""
    clock = FakeClock()
    policies = Policies.from_mapping({"policies": {"mine": {"extends": "http", "quota": quota}}}, clock=clock)
    with Server(answer(status, Retry_After=BAN), answer()) as server, wrap(session(), "mine", policies=policies) as bot:
        refused = 0
        for _ in range(POLLS):
            try:
                bot.get(server.url)
            except requests.RequestException as error:
                refused += getattr(error, "reason", "") == "hold"
            clock.sleep(1.0)
        assert (len(server.requests), refused) == (1, POLLS - 1)
        clock.advance(90.0)
        assert bot.get(server.url).status_code == 200
        assert len(server.requests) == 2
