"""Tests of the breakers that the pipelines of one `Policies` share: their number, and their listeners."""

from __future__ import annotations

from typing import Any

import pybreaker

from resilience import Policy
from resilience._core.base.events import Events
from resilience._core.stages.breaker import USED_ONCE
from resilience._pipeline.breaker_pool import BreakerPool
from resilience.testing import FakeClock


def test_a_listener_that_raises_is_dropped() -> None:
    """It is reported once and changes no outcome."""

    class Broken(pybreaker.CircuitBreakerListener):
        def failure(self, cb: Any, exc: BaseException) -> None:
            raise LookupError

    dropped: list[Any] = []
    clock = FakeClock()
    breakers = BreakerPool(clock, Events(on_dropped=lambda listener, error: dropped.append(type(error))))
    broken = Broken()
    breakers.subscribe(broken)
    ours = breakers.get(Policy(breaker={}), "a")  # type: ignore[arg-type]
    assert ours is not None
    for _ in range(2):
        ours.failed(ours.generation, 0.0)
        ours.emit(lambda name, **fields: None)
    assert dropped == [LookupError]


def test_a_bounded_number_of_breakers_and_no_open_one_is_forgotten() -> None:
    """Beyond the maximum, a closed breaker that was idle is dropped; an open one never is."""
    policy = Policy(name="p", breaker={"consecutive": 1})  # type: ignore[arg-type]
    breakers = BreakerPool(FakeClock(), Events(), max_breakers=3)

    def state(key: str) -> str:
        ours = breakers.get(policy, key)
        assert ours is not None
        return ours.state

    def use(key: str) -> None:
        ours = breakers.get(policy, key)
        assert ours is not None
        ours.succeeded(ours.generation, 0.0)

    def recent_keys() -> list[str]:
        return [key for _, key in breakers._breakers]

    first = breakers.get(policy, "open")
    assert first is not None
    first.failed(first.generation, 0.0)
    del first
    use("busy")
    use("idle")
    use("new")  # nobody was looked at before: the oldest closed one goes
    assert recent_keys() == ["open", "idle", "new"]
    use("new")
    use("newer")  # unused since that look
    assert recent_keys() == ["open", "new", "newer"]
    assert (state("open"), state("idle")) == ("open", "closed")
    for key in ("x", "y", "z"):
        ours = breakers.get(policy, key)
        assert ours is not None
        ours.failed(ours.generation, 0.0)
    assert len(recent_keys()) == 4  # all open: more of them than there should be
    assert {state(key) for key in ("open", "x", "y", "z")} == {"open"}


def test_a_breaker_in_use_is_never_forgotten() -> None:
    """There are never two breakers of one key; without a pool, pybreaker's object alone keeps none alive."""
    policy = Policy(name="p", breaker={})  # type: ignore[arg-type]
    breakers = BreakerPool(FakeClock(), Events(), max_breakers=1)
    first = breakers.get(policy, "a")
    breakers.get(policy, "b")
    assert breakers.get(policy, "a") is first
    assert breakers.get(Policy(), "a") is None


def test_breakers_of_two_policies_with_one_name() -> None:
    """One that calls find by their key is kept while it is open; one of a compiled call as long as that call."""
    first, second = (Policy(name="p", breaker={"consecutive": 1, "open_for": open_for}) for open_for in (1, 2))  # type: ignore[arg-type]
    breakers = BreakerPool(FakeClock(), Events(), max_breakers=2)
    find: Any = breakers.getter(first)  # as a compiled call does, which refers to none
    for key in ("a", "b", "c", "d"):
        found = find(key)
        assert found is not None
        found.use = USED_ONCE
        if key in "ab":
            found.open()
        del found
        assert breakers.get(second, key) is not None
    opened = [breakers.get(first, key) for key in ("a", "b")]
    assert [breaker.state for breaker in opened if breaker is not None] == ["open", "open"]
    compiled = breakers.get(second, "e")
    assert breakers.get(first, "e") is not compiled
    assert compiled in breakers.all()
    breakers.subscribe(pybreaker.CircuitBreakerListener())
    assert all(len(breaker._watchers) == 1 for breaker in opened if breaker is not None)
    del compiled
    assert len(breakers._displaced.all()) == 3  # the closed one that was not needed any more is gone
    assert [breaker.settings.open_for for breaker in breakers.all() if breaker.key == "e"] == [1.0]
    assert breakers.getter(Policy())("a") is None
    del find, opened
    assert breakers._displaced.all() == []  # nothing would find them
