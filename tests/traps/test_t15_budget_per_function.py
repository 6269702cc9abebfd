"""A retry budget that each decorated function has for itself is not shared: retries grow with the functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience import Policies
from resilience.testing import FakeClock

FUNCTIONS = 3


def naive(most: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """A decorator that is meant to share a retry budget and makes one per function."""

    def decorate(fn: Callable[[], None]) -> Callable[[], None]:
        left = [most]

        def call() -> None:
            try:
                fn()
            except ConnectionRefusedError:
                if left[0] == 0:
                    raise
                left[0] -= 1
                fn()

        return call

    return decorate


def failing(sent: list[int]) -> Callable[[], None]:
    """Return a function whose every attempt fails."""

    def fn() -> None:
        sent.append(1)
        raise ConnectionRefusedError

    return fn


def run(calls: list[Callable[[], Any]]) -> None:
    """Call each function once."""
    for call in calls:
        try:
            call()
        except ConnectionRefusedError:
            pass


def test_naive() -> None:
    """With a budget of one retry, three functions send six requests."""
    sent: list[int] = []
    run([naive(1)(failing(sent)) for _ in range(FUNCTIONS)])
    assert len(sent) == 6


def test_ours(driver: Any) -> None:
    """The budget belongs to the policy: three functions share its one retry."""
    mapping = {"policies": {"p": {"retry": {"max_attempts": 2}, "budget": {"ratio": 0, "floor": 0.1}}}}
    policies = Policies.from_mapping(mapping, clock=FakeClock())
    sent: list[int] = []
    decorate = policies.resilient("p", idempotent=True)
    made = [decorate(driver.function(failing(sent))) for _ in range(FUNCTIONS)]
    run([lambda call=call: driver.call(call) for call in made])
    assert len(sent) == FUNCTIONS + 1
