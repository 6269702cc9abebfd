"""A Retry-After that is clamped down makes the retry come early."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from resilience import Pipeline, Policy, failure_of
from resilience.testing import FakeClock, ScriptedTransport


class Busy(Exception):
    """A 429 response with a Retry-After header."""

    status_code = 429

    def __init__(self, wish: str) -> None:
        super().__init__(wish)
        self.headers = {"Retry-After": wish}


def naive_delay(wish: str, most: float) -> float:
    """Return the delay of a retry layer that has a maximum delay."""
    return min(float(wish), most)


def test_naive() -> None:
    """Two minutes become one, nan becomes nonsense, and a date is not read at all."""
    assert naive_delay("120", 60) == 60
    with pytest.raises(ValueError, match="could not convert"):
        naive_delay("Wed, 21 Oct 2026 07:28:00 GMT", 60)


def test_ours_waits_for_the_whole_retry_after() -> None:
    """The server's Retry-After is a minimum, above the longest delay of the backoff."""
    clock = FakeClock()
    send = ScriptedTransport([Busy("120"), "fine"])
    policy = Policy(deadline="10m", retry={"max_attempts": 2, "backoff": {"max": "60s"}})
    assert Pipeline(policy, clock=clock).call(send) == "fine"
    assert clock.sleeps == [120.0]


def test_ours_reads_dates() -> None:
    """An HTTP date is converted to a wait."""
    clock = FakeClock()
    send = ScriptedTransport([Busy(formatdate(clock.time() + 30, usegmt=True)), "fine"])
    assert Pipeline(Policy(deadline="10m", retry={"max_attempts": 2}), clock=clock).call(send) == "fine"
    assert clock.sleeps == [30.0]


def test_ours_stops_when_it_does_not_fit() -> None:
    """A Retry-After beyond the deadline ends the call at once, and the failure says when to try again."""
    clock = FakeClock()
    send = ScriptedTransport([Busy("120")])
    with pytest.raises(Busy) as caught:
        Pipeline(Policy(deadline="20s", retry={"max_attempts": 5}), clock=clock).call(send)
    assert clock.sleeps == []
    assert failure_of(caught.value).retry_after == 120
    assert failure_of(caught.value).retry_at == clock.time() + 120


@pytest.mark.parametrize("wish", ["nan", "-5", "inf", "later"])
def test_ours_ignores_nonsense(wish: str) -> None:
    """A header that is no time is ignored: the backoff decides."""
    clock = FakeClock()
    send = ScriptedTransport([Busy(wish), "fine"])
    policy = Policy(retry={"max_attempts": 2, "backoff": {"initial": "1s", "jitter": "none"}})
    assert Pipeline(policy, clock=clock).call(send) == "fine"
    assert clock.sleeps == [1.0]
