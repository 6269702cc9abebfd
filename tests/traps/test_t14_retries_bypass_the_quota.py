"""A quota that is consumed once per call does not limit its retries."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import tenacity

from resilience import Policies
from resilience.testing import FakeClock


def most_in_a_second(sends: list[float]) -> int:
    """Return the most requests that any second holds."""
    return max(sum(first <= at < first + 1 for at in sends) for first in sends)


def test_naive() -> None:
    """With a limit of one per second, five requests are sent in the same second."""
    clock, sends, last = FakeClock(), list[float](), deque([-1.0], maxlen=1)

    def limited(call: Callable[[], None]) -> None:
        clock.sleep(max(0.0, last[0] + 1 - clock.monotonic()))
        last.append(clock.monotonic())
        call()

    @tenacity.retry(stop=tenacity.stop_after_attempt(5), wait=tenacity.wait_none(), reraise=True)
    def send() -> None:
        sends.append(clock.monotonic())
        if len(sends) < 5:
            raise ConnectionRefusedError

    limited(send)
    assert most_in_a_second(sends) == 5


def test_ours(driver: Any) -> None:
    """Every attempt consumes quota: five requests take four seconds."""
    clock, sends = FakeClock(), list[float]()
    rules = {
        "quota": [{"rate": "1/s", "burst": 1}],
        "retry": {"max_attempts": 5, "backoff": {"kind": "constant", "initial": 0, "jitter": "none"}},
    }
    policies = Policies.from_mapping({"policies": {"p": rules}}, clock=clock)

    def send() -> str:
        sends.append(clock.monotonic())
        if len(sends) < 5:
            raise ConnectionRefusedError
        return "fine"

    assert driver.call(policies.resilient("p")(driver.function(send))) == "fine"
    assert sends == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert most_in_a_second(sends) == 1
