"""Tests of the retry schedule: kinds of backoff, and stop and wait objects of tenacity."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import tenacity
from hypothesis import given
from hypothesis import strategies as st

from resilience import Pipeline, Policies, Policy, PolicyError
from resilience._core.policy.backoff import bounds
from resilience._core.policy.sections import BackoffSettings, RetrySettings
from resilience._core.stages.retry import Schedule
from resilience.testing import FakeClock


def new_pipeline(clock: FakeClock, **retry: Any) -> Pipeline:
    """Return a pipeline with these retries."""
    return Pipeline(Policy(retry=retry), clock=clock)  # type: ignore[arg-type]


DOWN = [ConnectionRefusedError() for _ in range(9)]


def test_stop_and_wait_of_tenacity(driver: Any) -> None:
    """There are six attempts where the default makes three, with the waits of tenacity's object."""
    clock = FakeClock()
    pipeline = new_pipeline(
        clock, stop=tenacity.stop_after_attempt(6), wait=tenacity.wait_incrementing(start=1, increment=2)
    )
    transport = driver.transport(DOWN)
    with pytest.raises(ConnectionRefusedError):
        driver.call(pipeline.compile(transport))
    assert clock.sleeps == [1.0, 3.0, 5.0, 7.0, 9.0]
    assert (pipeline.describe()["max_attempts"], pipeline.describe()["waits"]) == (None, [])


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
    """Tenacity's objects get the pipeline's time; the stop object gets the next wait, as with tenacity."""
    clock = FakeClock(start=1e6)
    pipeline = new_pipeline(clock, stop=stop, wait=tenacity.wait_fixed(2))
    with pytest.raises(ConnectionRefusedError):
        pipeline.call(_down)
    assert clock.sleeps == waits


def test_they_see_the_error_and_the_arguments() -> None:
    """A wait object finds the error and the arguments in the state, as with tenacity."""
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
def test_a_stop_or_wait_object_that_raises(wrong: Any) -> None:
    """The caller gets the API's own error, with the object's error as its cause."""
    with pytest.raises(ConnectionRefusedError) as caught:
        new_pipeline(FakeClock(), wait=wrong).call(_down)
    assert isinstance(caught.value.__cause__, (ValueError, ZeroDivisionError))


def test_no_object_stays_alive() -> None:
    """A state that kept the error would keep its traceback, and with it itself."""
    policy = Policy(retry={"stop": tenacity.stop_after_attempt(3), "wait": tenacity.wait_fixed(1)})
    pipeline = Pipeline(policy, clock=FakeClock(), log=False)  # pytest keeps the records of a log
    with pytest.raises(ConnectionRefusedError):
        pipeline.call(_down)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(10):
            try:
                pipeline.call(_down)
            except ConnectionRefusedError:
                pass
        alive = len(gc.get_objects()) - before
    finally:
        gc.enable()
    assert alive < 10  # one object a call would be ten; threads of other tests may make a few


def test_files_cannot_name_tenacitys_objects() -> None:
    """A file cannot name a function, and a policy accepts nothing else."""
    with pytest.raises(PolicyError, match=r"retry\.stop: unknown key"):
        Policies.from_mapping({"policies": {"p": {"retry": {"stop": "never"}}}})
    with pytest.raises(PolicyError, match=r"retry\.stop: expected a function, got a int"):
        Policy(retry={"stop": 3})  # type: ignore[arg-type]


EXPONENTIAL = {"kind": "exponential", "initial": 1, "factor": 3, "max": 20, "jitter": "none"}


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (EXPONENTIAL, [1, 3, 9, 20, 20]),
        ({**EXPONENTIAL, "max": 9}, [1, 3, 9, 9, 9]),
        ({**EXPONENTIAL, "initial": 0}, [0, 0, 0, 0, 0]),
        ({**EXPONENTIAL, "initial": 30}, [20, 20, 20, 20, 20]),
        ({**EXPONENTIAL, "factor": 1}, [1, 1, 1, 1, 1]),
        ({**EXPONENTIAL, "kind": "linear"}, [1, 2, 3, 4, 5]),
        ({**EXPONENTIAL, "kind": "linear", "max": 3}, [1, 2, 3, 3, 3]),
        ({**EXPONENTIAL, "kind": "constant"}, [1, 1, 1, 1, 1]),
        ({**EXPONENTIAL, "kind": "constant", "max": 0.5}, [0.5, 0.5, 0.5, 0.5, 0.5]),
    ],
)
def test_how_a_delay_grows(backoff: dict[str, Any], delays: list[float]) -> None:
    """Delays grow by their kind up to the maximum, and `describe` lists the same ones."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(retry={"max_attempts": 6, "backoff": backoff}), clock=clock)  # type: ignore[arg-type]
    with pytest.raises(ConnectionRefusedError):
        pipeline.call(_down)
    assert clock.sleeps == pytest.approx([delay for delay in delays if delay])
    settings = BackoffSettings(**backoff)
    assert [bounds(settings, number) for number in range(1, 6)] == [(delay, delay) for delay in delays]


@pytest.mark.parametrize(
    ("jitter", "draw", "delay"),
    [("full", 0.0, 0.0), ("full", 0.5, 10.0), ("equal", 0.0, 10.0), ("equal", 0.5, 15.0), ("none", 0.5, 20.0)],
)
def test_jitter_is_applied_below_the_cap(jitter: Any, draw: float, delay: float) -> None:
    """Full jitter draws from zero to the delay, equal jitter from the upper half."""
    backoff = BackoffSettings(kind="constant", initial=20, max=20, jitter=jitter)
    assert _delays(RetrySettings(backoff=backoff), [draw]) == [delay]
    assert bounds(backoff, 1) == ({"full": 0.0, "equal": 10.0, "none": 20.0}[jitter], 20.0)


@pytest.mark.parametrize(
    ("initial", "longest", "draws", "delays"),
    [
        (1, 20, [0.0, 0.5, 1.0, 1.0, 1.0], [1.0, 2.0, 6.0, 18.0, 20.0]),
        (1, 2, [1.0, 1.0, 0.5], [2.0, 2.0, 1.5]),
        (5, 2, [1.0, 0.5], [2.0, 2.0]),
    ],
)
def test_a_decorrelated_delay_is_drawn_up_to_three_times_the_last(
    initial: float, longest: float, draws: list[float], delays: list[float]
) -> None:
    """The cap bounds the range of the draw, so the draw itself is not cut."""
    backoff = BackoffSettings(kind="decorrelated", initial=initial, max=longest)
    assert _delays(RetrySettings(backoff=backoff), draws) == pytest.approx(delays)


def test_the_bounds_of_a_decorrelated_delay() -> None:
    """The range is from the first delay up to three times as much at each attempt."""
    backoff = BackoffSettings(kind="decorrelated", initial=1, max=20)
    assert [bounds(backoff, number) for number in (1, 2, 3, 400)] == [(1, 3), (1, 9), (1, 20), (1, 20)]
    assert bounds(BackoffSettings(kind="decorrelated", initial=5, max=2), 1) == (2, 2)


@pytest.mark.parametrize("attempt", [350, 10**6])
def test_no_number_of_attempts_overflows(attempt: int) -> None:
    """Growth is clamped in the exponent."""
    assert bounds(BackoffSettings(initial=0.1, factor=100, max=86400, jitter="none"), attempt) == (86400.0, 86400.0)


@pytest.mark.parametrize("stop", [None, tenacity.stop_after_attempt(3)], ids=["built-in", "of a user"])
def test_tenacitys_objects_get_the_seconds_waited(stop: Any) -> None:
    """They get the seconds waited so far and the next wait; those of a user get all that tenacity gives them."""
    backoff = BackoffSettings(kind="constant", initial=2, jitter="none")
    schedule = Schedule(RetrySettings(stop=stop, backoff=backoff), lambda: 0.5)
    state = schedule.begin(7.0, (1,), {"two": 2})
    assert state.start_time == 7.0
    if stop is not None:
        assert isinstance(state, tenacity.RetryCallState)
        assert (state.args, state.kwargs) == ((1,), {"two": 2})
    assert [schedule.stops(state, number, 8.0, None) for number in (1, 2, 3)] == [False, False, True]
    assert (state.attempt_number, state.outcome_timestamp) == (3, 8.0)
    assert [schedule.delay(state), schedule.delay(state)] == [2.0, 2.0]
    assert (state.idle_for, state.upcoming_sleep) == (4.0, 2.0)


def test_an_answer_that_is_a_failure_is_an_outcome_too() -> None:
    """A stop object gets a failed answer as the outcome, as with tenacity, and it is not kept alive."""
    seen: list[Any] = []

    def stop(state: tenacity.RetryCallState) -> bool:
        assert state.outcome is not None
        seen.append(
            (state.outcome.failed, None if state.outcome.failed else state.outcome.result(), state.upcoming_sleep)
        )
        return True

    schedule = Schedule(
        RetrySettings(stop=stop, backoff=BackoffSettings(kind="constant", initial=2, jitter="none")), lambda: 0.0
    )
    state = schedule.begin(0.0, (), {})
    assert schedule.stops(state, 1, 0.0, "busy")
    assert schedule.stops(state, 1, 0.0, OSError())
    assert (seen, state.outcome) == ([(False, "busy", 2.0), (True, None, 2.0)], None)
    assert schedule.delay(state) == 2.0


def _delays(retry: RetrySettings, draws: list[float]) -> list[float]:
    rest = iter(draws)
    schedule = Schedule(retry, lambda: next(rest))
    state = schedule.begin(0.0, (), {})
    delays = []
    for number in range(1, len(draws) + 1):
        schedule.stops(state, number, 0.0, None)
        delays.append(schedule.delay(state))
    return delays


def _down() -> None:
    raise ConnectionRefusedError


BACKOFFS = st.builds(
    BackoffSettings,
    kind=st.sampled_from(["constant", "linear", "exponential", "decorrelated"]),
    initial=st.floats(0, 3600),
    factor=st.floats(1, 100),
    max=st.floats(0, 86400),
    jitter=st.sampled_from(["none", "full", "equal"]),
)


@given(BACKOFFS, st.integers(1, 10**9))
def test_delays_of_any_attempt_are_between_zero_and_the_cap(backoff: BackoffSettings, attempt: int) -> None:
    """For any backoff and any attempt number, the delay is a number between 0 and the cap."""
    low, high = bounds(backoff, attempt)
    assert 0 <= low <= high <= backoff.max
    schedule = Schedule(RetrySettings(backoff=backoff), lambda: 0.999)
    state = schedule.begin(0.0, (), {})
    for number in (attempt, attempt + 1):
        schedule.stops(state, number, 0.0, None)
        assert 0 <= schedule.delay(state) <= backoff.max
