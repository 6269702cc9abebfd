"""A user's function that runs before the send may be slow: the send counts from when it is made, not from before."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Policies, wrap
from resilience.testing import FakeClock
from tests.conftest import Driver

QUOTA = [{"rate": "2/s", "burst": 2}]


class Client:
    """Notes when a request is sent."""

    def __init__(self, clock: FakeClock) -> None:
        self._now = clock.monotonic
        self.sent: list[float] = []

    def read(self, *, key: str | None = None) -> None:
        """Send a request."""
        self.sent.append(self._now())

    async def read_async(self, *, key: str | None = None) -> None:
        """Send a request."""
        self.read()


@pytest.mark.parametrize("slow", ["lane", "key"])
@pytest.mark.parametrize("several", [[], [{"rate": "50/s", "burst": 50}]])
def test_no_more_are_sent_than_the_quota_allows(driver: Driver, slow: str, several: list[Any]) -> None:
    """Of two a second; those that took 1.5 seconds to find their lane or key counted as sent before that."""
    clock, seconds = FakeClock(), [1.5]

    def find(*_: Any) -> str:
        clock.advance(seconds[0])
        return f"key{clock.monotonic()}"

    rules: dict[str, Any] = {"quota": QUOTA + several, "deadline": "60s", "breaker": "off", "retry": "off"}
    options: dict[str, Any] = {"key": "key", "idempotent": True, "key_factory": find}
    if slow == "lane":
        rules["admission"] = {"max_concurrent": 5}
        options = {"lane": find}
    policies = Policies.from_mapping({"policies": {"p": rules}}, clock=clock, log=False)
    client = Client(clock)
    wrapped: Any = wrap(client, "p", policies=policies, operations={"read*": options})
    read = wrapped.read if driver.kind == "sync" else wrapped.read_async
    for seconds[0] in (1.5, 1.5, 0.0, 0.0):
        driver.call(read)
    assert [at - client.sent[0] for at in client.sent] == [0.0, 1.5, 1.5, 2.5]
