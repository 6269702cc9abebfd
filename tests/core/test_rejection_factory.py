"""Tests of rejections: each caller gets its own object, a copy of the first of its kind."""

from __future__ import annotations

import pickle
from math import inf

import pytest

from resilience import CircuitOpenError, Pipeline, Policy, failure_of
from resilience._core.call.context import CONTEXT
from resilience._core.call.rejection_factory import RejectionFactory
from resilience._core.classify.attach import inner_failure
from resilience.testing import FakeClock


class HostError(OSError):
    """A client's error base whose constructor sets attributes."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.request = "none yet"


class HostOpenError(CircuitOpenError, HostError):
    """The rejection of an open breaker that the client's users can catch."""


def new_factory(clock: FakeClock, **kinds: type) -> RejectionFactory:
    """Return the factory of an operation; `host` is the class for an open breaker."""
    return RejectionFactory({CircuitOpenError: kinds["host"]} if kinds else {}, "trade", "place", clock)


def test_each_has_its_own_times() -> None:
    """Two rejections have the same message and different times, and share no attribute."""
    clock = FakeClock()
    factory = new_factory(clock)
    now, wall = clock.monotonic(), clock.time()
    rejection = factory.make(CircuitOpenError, "open", now + 5)
    clock.advance(2)
    second = factory.make(CircuitOpenError, "open", now + 5, clock.monotonic())
    rejection.add_note("mine")
    rejection.seen = True  # type: ignore[attr-defined]
    assert (type(rejection), str(rejection), rejection.args) == (CircuitOpenError, "place: open", ("place: open",))
    assert (rejection.policy, rejection.operation, rejection.retry_after, rejection.retry_at) == (
        "trade",
        "place",
        5.0,
        wall + 5,
    )
    assert vars(second) == {"policy": "trade", "operation": "place", "retry_after": 3.0, "retry_at": wall + 5}


def test_a_rejection_without_a_known_end() -> None:
    """A breaker isolated by hand has no time to retry at; a past instant becomes now."""
    clock = FakeClock()
    factory = new_factory(clock)
    never = factory.make(CircuitOpenError, "open", inf)
    assert (never.retry_after, never.retry_at) == (None, None)
    late = factory.make(CircuitOpenError, "open", clock.monotonic() - 1)
    assert (late.retry_after, late.retry_at) == (0.0, clock.time())


def test_as_the_clients_own_error() -> None:
    """A copy has the attributes that the base's constructor sets, and can be pickled."""
    clock = FakeClock()
    factory = new_factory(clock, host=HostOpenError)
    for _ in range(2):
        rejection = factory.make(CircuitOpenError, "open", clock.monotonic() + 1)
        again = pickle.loads(pickle.dumps(rejection))
        for each in (rejection, again):
            assert isinstance(each, HostError)
            assert (each.request, str(each), each.args) == ("none yet", "place: open", ("place: open",))
            assert (each.retry_after, each.retry_at) == (1.0, clock.time() + 1)


def test_an_open_breaker_rejects_without_its_lock() -> None:
    """While another thread holds the breaker's lock, calls are rejected and events emitted."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(breaker={"consecutive": 1, "open_for": "5s"}), operation="place", clock=clock)  # type: ignore[arg-type]
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    place = pipeline.compile(lambda: 1)
    with pipeline.breaker._lock:
        errors = []
        for _ in range(2):
            try:
                place()
            except CircuitOpenError as error:
                errors.append(error)
    assert errors[0] is not errors[1]
    for error in errors:
        failure = failure_of(error)
        assert (failure.executed, failure.attempts, failure.operation) == ("no", 0, "place")
        assert (failure.retry_after, failure.retry_at) == (5.0, clock.time() + 5)
        assert inner_failure(error, object()) is None
    assert CONTEXT.get() is None


def test_a_shadow_rejects_nothing() -> None:
    """A breaker that only measures lets calls through while it is open."""
    pipeline = Pipeline(Policy(breaker={"mode": "shadow"}), clock=FakeClock())  # type: ignore[arg-type]
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    assert pipeline.call(lambda: 1) == 1
    assert pipeline.breaker.describe()["let_through"] == 1


def test_isolated_however_late() -> None:
    """A breaker that was isolated by hand rejects until it is closed by hand."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(breaker={"open_for": "1s"}), clock=clock)  # type: ignore[arg-type]
    assert pipeline.breaker is not None
    pipeline.breaker.isolate()
    clock.advance(10_000)
    with pytest.raises(CircuitOpenError) as caught:
        pipeline.call(lambda: 1)
    assert caught.value.retry_at is None
    pipeline.breaker.close()
    assert pipeline.call(lambda: 1) == 1
