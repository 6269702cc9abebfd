"""An impossible server time (seconds for milliseconds, microseconds, a cached answer) ends no fence early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Pipeline, Policy, current_call
from resilience.testing import FakeClock


class EnvelopeError(Exception):
    """An answer in Bitget's envelope whose code leaves the outcome open."""

    def __init__(self, request_time: Any) -> None:
        super().__init__("40725")
        self.status_code = 400
        self.body = {"code": "40725", "msg": "m", "requestTime": request_time}


def run(answered: Callable[[float], Any] | None, look_time: Callable[[float], float]) -> int:
    """Place an order that the server executes 2.9 s after it answered; return how often it was executed."""
    clock, executed, late = FakeClock(), list[float](), list[float]()

    def settle() -> None:
        for at in [one for one in late if one <= clock.time()]:
            late.remove(at)
            executed.append(at)

    def place(*, client_id: str) -> str:
        call = current_call()
        assert call is not None
        call.stamp(clock.time())
        settle()
        if executed or late:
            executed.append(clock.time())
            return client_id
        late.append(clock.time() + 2.9)
        raise TimeoutError if answered is None else EnvelopeError(answered(clock.time()))

    def lookup(_call: Any) -> Any:
        settle()
        return Found("order") if executed else NOT_FOUND(server_time=look_time(clock.time()))

    rules = {"window": 30, "processing": 3, "lag": 2}
    policy = Policy(codes=("bitget", "http"), deadline=400, retry={"max_attempts": 5}, reconcile=rules)
    Pipeline(policy, key="client_id", reconcile=lookup, clock=clock).compile(place)()
    clock.advance(100)
    settle()
    return len(executed)


@pytest.mark.parametrize(
    "answered",
    [lambda _now: 1, int, lambda now: int((now - 3600) * 1000)],
    ids=["1", "seconds", "an hour old"],
)
def test_in_an_answer(answered: Callable[[float], Any]) -> None:
    """The impossible time of an answer is not taken for the time at which the request had arrived."""
    assert run(answered, lambda now: now) == 1


def test_in_a_lookup() -> None:
    """A lookup whose time is a day ahead is not taken for one past the fence."""
    assert run(None, lambda now: now + 86400) == 1
