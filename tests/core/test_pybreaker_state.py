"""Tests of listeners of pybreaker's interface: they get the calls that pybreaker would make."""

from __future__ import annotations

from typing import Any

import pybreaker
import pytest

from resilience import CircuitOpenError, Pipeline, Policies, Policy
from resilience._core.policy.sections import BreakerSettings
from resilience._core.stages.breaker import Breaker
from resilience.testing import FakeClock


class Full(pybreaker.CircuitBreakerListener):
    """Records every call of the interface."""

    def __init__(self) -> None:
        self.notices: list[Any] = []

    def before_call(self, cb: Any, func: Any, *args: Any, **kwargs: Any) -> None:
        self.notices.append(("before", cb.name, func.__name__, args, kwargs))

    def failure(self, cb: Any, exc: BaseException) -> None:
        self.notices.append(("failure", type(exc).__name__, cb.fail_counter))

    def success(self, cb: Any) -> None:
        self.notices.append(("success", cb.current_state, cb.success_counter))

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self.notices.append(("state", old_state.name, new_state.name))


class BreakerState(pybreaker.CircuitBreakerListener):
    """Overrides the method for state changes only."""

    def __init__(self) -> None:
        self.notices: list[Any] = []

    def state_change(self, cb: Any, old_state: Any, new_state: Any) -> None:
        self.notices.append((cb.name, new_state.name))


def work() -> str:
    """Return a result."""
    return "fine"


def down() -> str:
    """Fail."""
    raise ConnectionRefusedError


def new_breaker(clock: FakeClock | None = None, **rules: Any) -> Breaker:
    """Return a breaker with these rules on this clock."""
    return Breaker(BreakerSettings(**rules), (clock or FakeClock()).monotonic)


def test_a_pybreaker_listener_gets_what_pybreaker_would_send() -> None:
    """It gets each call, its outcome, and each change of state, in this order."""
    clock, full, states = FakeClock(), Full(), BreakerState()
    rules = {"consecutive": 2, "open_for": "1s"}
    pipeline = Pipeline(Policy(name="p", breaker=rules), clock=clock, listeners=[full, states])  # type: ignore[arg-type]
    good, bad = pipeline.compile(work), pipeline.compile(down)
    assert good() == "fine"
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            bad()
    with pytest.raises(CircuitOpenError):
        good()
    clock.advance(1.0)
    assert good() == "fine"
    assert full.notices == [
        ("before", "p", "work", (), {}),
        ("success", "closed", 0),
        ("before", "p", "down", (), {}),
        ("failure", "ConnectionRefusedError", 1),
        ("before", "p", "down", (), {}),
        ("failure", "ConnectionRefusedError", 0),  # = once it is open, which begins the count anew
        ("state", "closed", "open"),
        ("state", "open", "half-open"),
        ("before", "p", "work", (), {}),
        ("state", "half-open", "closed"),
        ("success", "closed", 0),
    ]
    assert states.notices == [("p", "open"), ("p", "half-open"), ("p", "closed")]


def test_pybreaker_keeps_no_date() -> None:
    """Pybreaker's storage has no time of opening, because the library uses its own clock."""
    breaker = new_breaker(consecutive=1)
    breaker.open()
    assert breaker._states.load()._state_storage.opened_at is None


def test_only_a_listener_of_every_success_leaves_the_fast_path() -> None:
    """A listener of state changes costs a success nothing; a listener of successes does, until it is removed."""
    policies = Policies.builtin(clock=FakeClock())
    pipeline = policies.pipeline("default")
    call = pipeline.compile(work)
    ours = pipeline.breaker
    assert ours is not None
    policies.subscribe(BreakerState())
    assert ours.generation
    full = Full()
    unsubscribe = policies.subscribe(full)
    assert not ours.generation
    call()
    unsubscribe()
    assert ours.generation
    call()
    assert len(full.notices) == 2
