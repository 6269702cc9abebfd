"""Two policies made in Python have one name and different settings: each finds its own breaker again."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from resilience import CircuitOpenError, Pipeline, Policies, Policy


def policy_of(consecutive: int) -> Policy:
    """Return a policy `p` whose breaker opens after so many failures."""
    breaker: Any = {"consecutive": consecutive, "failure_rate": None, "open_for": 60.0}
    return Policy(name="p", retry=None, breaker=breaker)


def down() -> None:
    """Fail as a service that is down does."""
    raise ConnectionRefusedError


def opened(call: Callable[[], Any], times: int) -> None:
    """Fail until the breaker is open."""
    for _ in range(times):
        with pytest.raises(ConnectionRefusedError):
            call()
    with pytest.raises(CircuitOpenError):
        call()


def two() -> tuple[Policies, Pipeline, Pipeline, Callable[[], Any]]:
    """Return a pipeline of each policy, and a call of the first, whose breaker was displaced while it was open."""
    policies = Policies.builtin(log=False)
    first = policies.pipeline(policy_of(2))
    call = first.compile(down)
    opened(call, 2)
    second = policies.pipeline(policy_of(3))
    assert second.call(len, "abc") == 3
    return policies, first, second, call


def test_a_person_sees_and_closes_the_breaker_of_the_calls() -> None:
    """A new one in its place would be closed while the calls are rejected, and closing it would do nothing."""
    _, first, _, call = two()
    assert first.breaker is not None
    assert first.breaker.state == "open"
    first.breaker.close()
    with pytest.raises(ConnectionRefusedError):
        call()


def test_reading_one_leaves_that_of_the_other_in_place() -> None:
    """Reading is no change: a call that is compiled afterwards is rejected as well."""
    policies, first, second, _ = two()
    refused = second.compile(down)
    opened(refused, 3)
    assert first.breaker is not None
    with pytest.raises(CircuitOpenError):
        policies.pipeline(policy_of(3)).call(len, "abc")


def test_a_later_pipeline_of_the_same_settings_shares_it() -> None:
    """It is equal settings that count, whichever object has them."""
    policies, _, _, _call = two()
    with pytest.raises(CircuitOpenError):
        policies.pipeline(policy_of(2)).call(len, "abc")


def test_a_listener_that_comes_later_hears_of_it() -> None:
    """As it hears of every other breaker."""
    policies, first, _, _call = two()

    class Listener:
        def __init__(self) -> None:
            self.changes: list[str] = []

        def state_change(self, _breaker: Any, _old: Any, new: Any) -> None:
            self.changes.append(new.name)

    listener = Listener()
    policies.subscribe(listener)
    for breaker in policies.breakers():
        breaker.close()
    assert first.breaker is not None
    assert listener.changes == ["closed"]


def test_it_ends_with_its_calls() -> None:
    """Nothing else refers to it."""
    policies, first, _, call = two()
    del first, call
    gc.collect()
    assert [breaker.state for breaker in policies.breakers()] == ["closed"]
