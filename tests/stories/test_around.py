"""Tests of what surrounds the attempts: fallbacks, hedging and custom stages, through every driver."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest
import trio

from resilience import CircuitOpenError, Pipeline, Policies, Policy, PolicyError, Stage, current_call, failure_of
from resilience.testing import FakeClock, recorded_events


def with_fallback(driver: Any, script: list[Any], *, idempotent: bool = True, **rules: Any) -> tuple[Any, FakeClock]:
    """Return a compiled call with a fallback, and its clock."""
    clock = FakeClock()
    policy = Policy(retry={"max_attempts": 2}, fallback=rules)  # type: ignore[arg-type]
    return Pipeline(policy, idempotent=idempotent, clock=clock).compile(driver.transport(script)), clock


def test_a_value_is_the_substitute_when_the_call_fails_for_good(driver: Any) -> None:
    """Retries come first; the value is returned only when they are exhausted."""
    call, _ = with_fallback(driver, [TimeoutError(), "fresh", TimeoutError(), TimeoutError()], value=None)
    assert [driver.call(call), driver.call(call)] == ["fresh", None]


def test_the_last_good_answer_is_the_substitute_while_it_is_fresh(driver: Any) -> None:
    """The answer of the same arguments is returned; where it is too old, the caller gets the error."""
    call, clock = with_fallback(driver, ["btc", "eth", *[TimeoutError()] * 4], stale_for="30s")
    assert [driver.call(call, "BTC"), driver.call(call, "ETH")] == ["btc", "eth"]
    assert driver.call(call, "BTC") == "btc"
    clock.advance(31)
    with pytest.raises(TimeoutError):
        driver.call(call, "BTC")


def test_a_fallback_function_gets_the_call(driver: Any) -> None:
    """It gets the arguments, to ask another endpoint or another client."""
    call, _ = with_fallback(driver, [TimeoutError()] * 2, call=driver.function(lambda call: ("other", call.args)))
    assert driver.call(call, "BTC") == ("other", ("BTC",))


def test_only_categories_that_the_settings_name_have_a_fallback(driver: Any) -> None:
    """A fatal error reaches the caller unless the settings name it; so does a bug of the program."""
    call, _ = with_fallback(driver, [KeyError("bug")], value=0)
    with pytest.raises(KeyError):
        driver.call(call)
    call, _ = with_fallback(driver, [KeyError("bug")], value=0, on=("fatal",))
    assert driver.call(call) == 0


def test_a_write_that_may_have_happened_has_no_fallback(driver: Any) -> None:
    """A write of unknown outcome is reported as unknown."""
    call, _ = with_fallback(driver, [TimeoutError()], idempotent=False, value="fine")
    with pytest.raises(TimeoutError) as caught:
        driver.call(call)
    assert failure_of(caught.value).executed == "maybe"


def test_a_rejected_call_has_a_fallback(driver: Any) -> None:
    """Nothing was sent, so an open breaker may be replaced by the value."""
    pipeline = Pipeline(Policy(breaker={}, fallback={"value": "stale"}), idempotent=True, clock=FakeClock())
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    assert driver.call(pipeline.compile(driver.transport([]))) == "stale"
    strict = Pipeline(
        Policy(breaker={}, fallback={"value": 1, "on": ("retryable",)}), idempotent=True, clock=FakeClock()
    )
    assert strict.breaker is not None
    strict.breaker.open()
    with pytest.raises(CircuitOpenError):
        driver.call(strict.compile(driver.transport([])))


def test_a_fallback_emits_an_event(driver: Any) -> None:
    """The event `fallback_used` says that the answer is not the API's."""
    policies = Policies.from_mapping(
        {"version": 1, "policies": {"p": {"extends": "default", "retry": "off", "fallback": {"value": 7}}}}
    )
    call = policies.resilient("p", idempotent=True)(driver.transport([TimeoutError()]))
    with recorded_events(policies) as events:
        assert driver.call(call) == 7
    assert [event.name for event in events] == ["attempt_failed", "call_failed", "fallback_used"]


def test_an_empty_fallback_is_a_mistake_with_its_path() -> None:
    """A fallback that can never be used is rejected."""
    with pytest.raises(PolicyError, match=r"policies\.p\.fallback: expected stale_for, call or value"):
        Policies.from_mapping({"version": 1, "policies": {"p": {"fallback": {"on": ["fatal"]}}}})
    with pytest.raises(PolicyError, match="is not one of retryable"):
        Policy(fallback={"value": 1, "on": ("sometimes",)})


# --- hedging ----------------------------------------------------------------------------------------

HEDGED = Policy(deadline="60s", hedge={"delay": "10ms", "max_hedges": 2})
PATIENT = Policy(deadline="60s", hedge={"delay": "30s", "max_hedges": 2})


class Slow:
    """An async transport whose first attempts hang until they are cancelled."""

    def __init__(self, hang: int, answer: Any = "answer") -> None:
        self.hang, self.answer = hang, answer
        self.started: list[int] = []
        self.cancelled = 0
        self.deadlines: list[float] = []

    async def __call__(self) -> Any:
        """Hang, or answer."""
        number = len(self.started)
        self.started.append(number)
        call = current_call()
        assert call is not None
        self.deadlines.append(call.deadline or 0.0)
        if number < self.hang:
            try:
                if _in_asyncio():
                    await asyncio.sleep(30)
                else:
                    await trio.sleep(30)
            except BaseException:
                self.cancelled += 1
                raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return number, self.answer


def _in_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("run", [asyncio.run, lambda main: trio.run(lambda: main)])
def test_the_first_good_answer_wins_and_losers_are_cancelled(run: Any) -> None:
    """Two attempts hang and the third answers; the two are cancelled."""
    send = Slow(2)
    call = Pipeline(HEDGED, idempotent=True).compile(send)
    assert run(call()) == (2, "answer")
    assert (send.started, send.cancelled) == ([0, 1, 2], 2)
    assert max(send.deadlines) == send.deadlines[0]  # one deadline for all of them


@pytest.mark.parametrize("run", [asyncio.run, lambda main: trio.run(lambda: main)])
def test_a_fast_answer_is_not_hedged(run: Any) -> None:
    """An attempt that answers within the delay has no hedge."""
    send = Slow(0)
    assert run(Pipeline(PATIENT, idempotent=True).compile(send)()) == (0, "answer")
    assert send.started == [0]


@pytest.mark.parametrize("run", [asyncio.run, lambda main: trio.run(lambda: main)])
def test_when_all_fail_the_first_error_is_the_callers(run: Any) -> None:
    """It is the API's own object, and an outer call does not retry it."""
    error = ConnectionRefusedError()
    send = Slow(0, error)
    inner = Pipeline(PATIENT, idempotent=True).compile(send)
    outer = Pipeline(Policy(retry={"max_attempts": 3}), idempotent=True, clock=FakeClock()).compile(inner)
    with pytest.raises(ConnectionRefusedError) as caught:
        run(outer())
    assert caught.value is error
    assert send.started == [0]


def test_writes_and_sync_functions_without_threads_are_not_hedged() -> None:
    """A write would be sent twice; a sync client may not be safe across threads."""
    send = Slow(0)
    assert asyncio.run(Pipeline(HEDGED).compile(send)()) == (0, "answer")
    names: list[str] = []
    Pipeline(HEDGED, idempotent=True).compile(lambda: names.append(threading.current_thread().name))()
    assert names == ["MainThread"]


def test_a_sync_function_is_hedged_in_threads_where_the_policy_says_so() -> None:
    """The losing attempt keeps running; its result is discarded."""
    release, started = threading.Event(), []

    def send() -> int:
        number = len(started)
        started.append(number)
        if number == 0:
            release.wait(60)
        return number

    policy = Policy(deadline="60s", hedge={"delay": "10ms", "threads": True})
    try:
        assert Pipeline(policy, idempotent=True).compile(send)() == 1
    finally:
        release.set()


def test_a_hedge_consumes_the_retry_budget() -> None:
    """Without budget there is no second attempt; the call waits for the first one."""
    policy = Policy(deadline="2s", hedge={"delay": "10ms"}, budget={"ratio": 0, "floor": 0})
    send = Slow(1)

    async def story() -> Any:
        return await Pipeline(policy, idempotent=True).compile(send)()

    with pytest.raises(TimeoutError):
        asyncio.run(story())
    assert send.started == [0]


class Busy(Exception):
    """A 429 with a wait of a minute."""

    status_code = 429
    retry_after = 60.0


def test_no_hedge_is_started_during_a_hold() -> None:
    """Another call is told to wait while the first attempt runs: a hedge would not be sent, so none is started."""
    policies = Policies.from_mapping({"policies": {"p": {"deadline": "300ms", "hedge": {"delay": "10ms"}}}})
    names: list[str] = []
    policies.subscribe(lambda event: names.append(event.name))
    slow = Slow(1)

    async def send() -> Any:
        def refuse() -> None:
            raise Busy

        with pytest.raises(Busy):
            policies.pipeline(Policy(name="q"), operation="op").call(refuse)
        return await slow()

    async def story() -> Any:
        return await policies.resilient("p", operation="op", idempotent=True)(send)()

    with pytest.raises(TimeoutError):
        asyncio.run(story())
    assert (slow.started, "hedge_started" in names) == ([0], False)


def test_a_learned_delay_is_a_percentile_of_the_calls_that_went_well() -> None:
    """After enough calls the delay is the time within which 95 % of them ended."""
    clock = FakeClock()
    policy = Policy(hedge={"delay": "5s", "percentile": "95%"})
    times = [1.0] * 30 + [3.0, 3.0]
    delays: list[float] = []

    class Clock(FakeClock):
        async def asleep(self, seconds: float) -> None:
            delays.append(seconds)
            await asyncio.sleep(30)

    clock = Clock()

    async def send() -> None:
        clock.advance(times.pop() if times else 0.0)
        await asyncio.sleep(0)

    call = Pipeline(policy, idempotent=True, clock=clock).compile(send)

    async def story() -> None:
        for _ in range(33):
            await call()

    asyncio.run(story())
    assert (delays[0], delays[-1]) == (5.0, 3.0)


def test_a_failed_race_leaves_no_cycle() -> None:
    """With the garbage collector off, no object of it stays alive."""

    async def send() -> None:
        raise ConnectionRefusedError

    call = Pipeline(HEDGED, idempotent=True, log=False).compile(send)  # pytest keeps the records of a log

    async def fails() -> None:
        try:
            await call()
        except ConnectionRefusedError:
            pass
        await asyncio.sleep(0)

    async def story() -> int:
        await fails()
        gc.collect()
        gc.disable()
        try:
            before = len(gc.get_objects())
            for _ in range(10):
                await fails()
            return len(gc.get_objects()) - before
        finally:
            gc.enable()

    assert asyncio.run(story()) < 10  # one object a call would be ten; threads of other tests may make a few


# --- custom stages ----------------------------------------------------------------------------------


class Paused(Stage):
    """A custom stage that logs its calls."""

    def __init__(self, log: list[str] | None = None) -> None:
        self.log = [] if log is None else log

    def before(self, call: Any) -> None:
        """Log the attempt."""
        self.log.append(f"before {call.attempt}")

    def settle(self, call: Any, error: BaseException | None) -> None:
        """Log the end of the attempt."""
        self.log.append(f"settle {call.attempt} {type(error).__name__}")


def test_a_stage_of_a_policy_takes_part_in_every_attempt(driver: Any) -> None:
    """The same stage serves sync and async functions."""
    stage = Paused()
    policy = Policy(retry={"max_attempts": 2}, stages=(stage,))
    call = Pipeline(policy, idempotent=True, clock=FakeClock()).compile(driver.transport([TimeoutError(), "fine"]))
    assert driver.call(call) == "fine"
    assert stage.log == ["before 1", "settle 1 TimeoutError", "before 2", "settle 2 NoneType"]


# --- waiting for the breaker ------------------------------------------------------------------------


def test_a_first_attempt_waits_for_the_breaker_before_it_consumes_quota(driver: Any) -> None:
    """With `when_open: wait` the call waits until the breaker admits it, and consumes quota only then."""
    clock = FakeClock()
    policy = Policy(deadline="10s", breaker={"when_open": "wait", "open_for": "2s"}, quota=({"rate": 1.0, "burst": 1},))
    pipeline = Pipeline(policy, idempotent=True, clock=clock)
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    assert driver.call(pipeline.compile(driver.transport(["fine"]))) == "fine"
    assert clock.sleeps == [2.0]


def test_an_attempt_in_a_thread_that_ends_the_program() -> None:
    """`sys.exit` inside a hedged sync call reaches the caller at once."""
    policy = Policy(hedge={"delay": "60s", "threads": True})
    ends: list[BaseException] = []

    def leave() -> None:
        raise SystemExit(3)

    def run() -> None:
        try:
            Pipeline(policy, idempotent=True).compile(leave)()
        except SystemExit as error:
            ends.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(60)
    assert [str(error) for error in ends] == ["3"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_control_flow_ends_a_hedged_call(backend: str) -> None:
    """An exception that steers the program reaches the caller at once; no other attempt is waited for."""
    started: list[int] = []

    class Steering(Exception):
        """The bot's own."""

    async def steer() -> None:
        started.append(1)
        if len(started) == 1:
            await (asyncio.sleep if backend == "asyncio" else trio.sleep)(60)
        raise Steering

    policy = Policy(hedge={"delay": "10ms", "max_hedges": 1}, pass_through=[Steering])  # type: ignore[arg-type]
    call = Pipeline(policy, idempotent=True).compile(steer)
    with pytest.raises(Steering):
        asyncio.run(call()) if backend == "asyncio" else trio.run(call)
    assert len(started) == 2
