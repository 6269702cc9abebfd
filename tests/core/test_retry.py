"""Stop and wait objects that a user has from tenacity are asked on the state of the call."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import tenacity

from resilience import Pipeline, Policies, Policy, PolicyError
from resilience.testing import FakeClock


def pipeline(clock: FakeClock, **retry: Any) -> Pipeline:
    """Return a pipeline with these retries."""
    return Pipeline(Policy(retry=retry), clock=clock)  # type: ignore[arg-type]


DOWN = [ConnectionRefusedError() for _ in range(9)]


def test_stop_and_wait_take_the_place_of_ours(driver: Any) -> None:
    """Six attempts where the default would make three, with the waits that tenacity's object says."""
    clock = FakeClock()
    ours = pipeline(clock, stop=tenacity.stop_after_attempt(6), wait=tenacity.wait_incrementing(start=1, increment=2))
    transport = driver.transport(DOWN)
    with pytest.raises(ConnectionRefusedError):
        driver.call(ours.compile(transport))
    assert clock.sleeps == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert (ours.describe()["max_attempts"], ours.describe()["waits"]) == (None, [])


@pytest.mark.parametrize(
    ("stop", "waits"),
    [
        (tenacity.stop_after_delay(5), [2.0, 2.0, 2.0]),
        (tenacity.stop_before_delay(5), [2.0, 2.0]),
        (tenacity.stop_after_delay(5) | tenacity.stop_after_attempt(2), [2.0]),
        (lambda state: state.idle_for >= 4, [2.0, 2.0]),
    ],
)
def test_times_are_ours(stop: Any, waits: list[float]) -> None:
    """Its clock is the pipeline's, and the wait is known when the stop is asked, as with tenacity."""
    clock = FakeClock(start=1e6)
    ours = pipeline(clock, stop=stop, wait=tenacity.wait_fixed(2))
    with pytest.raises(ConnectionRefusedError):
        ours.call(_down)
    assert clock.sleeps == waits


def test_they_see_the_error_and_the_arguments() -> None:
    """A wait that goes by the error finds it in the state, as it does with tenacity."""
    clock = FakeClock()
    seen: list[Any] = []

    def wait(state: tenacity.RetryCallState) -> float:
        assert state.outcome is not None
        seen.append((state.attempt_number, type(state.outcome.exception()), state.args, dict(state.kwargs)))
        return 0.5

    def send(_one: int, *, two: int) -> None:
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        Pipeline(Policy(retry={"max_attempts": 2, "wait": wait}), clock=clock).compile(send)(1, two=2)  # type: ignore[arg-type]
    assert seen == [(n, ConnectionRefusedError, (1,), {"two": 2}) for n in (1, 2)]
    assert clock.sleeps == [0.5]


@pytest.mark.parametrize("wrong", [lambda _state: 1 / 0, lambda _state: float("nan"), lambda _state: "soon"])
def test_one_that_fails_hides_nothing(wrong: Any) -> None:
    """The caller gets the API's own error, and why it was not tried again is its cause."""
    with pytest.raises(ConnectionRefusedError) as caught:
        pipeline(FakeClock(), wait=wrong).call(_down)
    assert isinstance(caught.value.__cause__, (ValueError, ZeroDivisionError))


def test_no_object_stays_alive() -> None:
    """A state that kept the error would keep its traceback, and so itself."""
    ours = pipeline(FakeClock(), stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_fixed(1))
    gc.collect()
    gc.disable()
    try:
        for _ in range(2):
            before = len(gc.get_objects())
            try:
                ours.call(_down)
            except ConnectionRefusedError:
                pass
            alive = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert alive <= 0


def test_files_do_not_know_them() -> None:
    """A file cannot name a function, and a policy takes nothing else."""
    with pytest.raises(PolicyError, match=r"retry\.stop: unknown key"):
        Policies.from_mapping({"policies": {"p": {"retry": {"stop": "never"}}}})
    with pytest.raises(PolicyError, match=r"retry\.stop: expected a function, got a int"):
        Policy(retry={"stop": 3})  # type: ignore[arg-type]


def _down() -> None:
    raise ConnectionRefusedError
