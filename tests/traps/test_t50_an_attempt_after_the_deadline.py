"""A machine that slept, a stopped process or a slow listener: the request is sent long after its deadline."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
import tenacity

from benchmarks.suspend import RULES, run
from resilience import NOT_FOUND, DeadlineExceededError, Pipeline, Policies, Policy, Stage, failure_of
from resilience.testing import FakeClock

HOURS = 8 * 3600.0
RETRY = {"max_attempts": 3, "backoff": {"initial": "1s", "jitter": "none"}}
BREAKER: Any = {"consecutive": 1, "failure_rate": None, "open_for": "2s"}
WAITS: dict[str, Any] = {
    "quota": {"quota": [{"rate": "1/s", "burst": 1}]},
    "breaker": {"breaker": {**BREAKER, "when_open": "wait"}},
}


class Slept(FakeClock):
    """The machine sleeps during each wait, and its monotonic clock does not notice."""

    def __init__(self, hours: float = HOURS) -> None:
        super().__init__()
        self.hours = hours

    def sleep(self, seconds: float) -> None:
        """Wait, and wake up much later."""
        super().sleep(seconds)
        self.step_wall(self.hours)


def test_naive() -> None:
    """The stop condition of a retry loop is asked before the wait, and by a clock that stood still."""
    sent: list[float] = []

    def order() -> str:
        sent.append(1)
        if len(sent) == 1:
            raise ConnectionRefusedError
        return "placed"

    retrying = tenacity.Retrying(
        wait=tenacity.wait_fixed(1), stop=tenacity.stop_after_delay(60), sleep=Slept().sleep, reraise=True
    )
    assert retrying(order) == "placed"
    assert len(sent) == 2


def test_a_retry_is_not_sent(driver: Any) -> None:
    """The caller gets the API's own error, and why no attempt followed is its cause."""
    transport = driver.transport([ConnectionRefusedError("down"), "placed"])
    pipeline = Pipeline(Policy(deadline="90s", retry=RETRY), clock=Slept())
    with pytest.raises(ConnectionRefusedError) as caught:
        driver.call(pipeline.compile(transport))
    assert isinstance(caught.value.__cause__, DeadlineExceededError)
    assert (len(transport.calls), failure_of(caught.value).executed) == (1, "no")


@pytest.mark.parametrize("wait", WAITS)
def test_a_first_attempt_is_not_sent(driver: Any, wait: str) -> None:
    """It is refused, with the deadline as the reason."""
    transport = driver.transport([ConnectionRefusedError("down") if wait == "breaker" else "placed", "placed"])
    pipeline = Pipeline(Policy(deadline="90s", retry={"max_attempts": 1}, **WAITS[wait]), clock=Slept())
    call = pipeline.compile(transport)
    try:
        driver.call(call)
    except ConnectionRefusedError:
        pass
    with pytest.raises(DeadlineExceededError) as caught:
        driver.call(call)
    assert (caught.value.reason, len(transport.calls)) == ("deadline", 1)


def test_an_open_write_stays_unknown(driver: Any) -> None:
    """Nothing is looked up after the deadline, and nothing is sent."""
    looked_up: list[Any] = []
    transport = driver.transport([TimeoutError("late"), "placed"])
    reconcile = driver.function(lambda call: looked_up.append(call) or NOT_FOUND)
    pipeline = Pipeline(Policy(deadline="90s", retry=RETRY), clock=Slept(), reconcile=reconcile)
    with pytest.raises(TimeoutError) as caught:
        driver.call(pipeline.compile(transport))
    assert (looked_up, len(transport.calls), failure_of(caught.value).executed) == ([], 1, "maybe")


def test_a_harmless_write_is_not_confirmed_late(driver: Any) -> None:
    """A cancel that the API does not know any more is looked up only before the deadline."""
    clock, looked_up = FakeClock(), []

    def listen(event: Any) -> None:
        if event.name == "attempt_failed":
            clock.advance(100.0)

    transport = driver.transport([TimeoutError("late")])
    reconcile = driver.function(lambda call: looked_up.append(call) or NOT_FOUND)
    policy = Policy(deadline="90s", retry={"max_attempts": 1})
    pipeline = Pipeline(policy, clock=clock, reconcile=reconcile, idempotent=True, listeners=[listen])
    with pytest.raises(TimeoutError):
        driver.call(pipeline.compile(transport))
    assert looked_up == []


@pytest.mark.parametrize("admission", [None, {"max_concurrent": 1}])
def test_a_slow_listener(driver: Any, admission: Any) -> None:
    """The event of a trial comes before it is sent; slot and permit go back."""
    clock, slow = FakeClock(), [True]

    def listen(event: Any) -> None:
        if event.name == "circuit_half_opened" and slow[0]:
            clock.advance(100.0)

    transport = driver.transport(["placed"])
    pipeline = Pipeline(Policy(deadline="90s", breaker=BREAKER, admission=admission), clock=clock, listeners=[listen])
    call = pipeline.compile(transport)
    assert pipeline.breaker is not None
    pipeline.breaker.open()
    clock.advance(3.0)
    with pytest.raises(DeadlineExceededError):
        driver.call(call)
    assert len(transport.calls) == 0
    slow[0] = False
    assert driver.call(call) == "placed"


@pytest.mark.parametrize("admission", [None, {"max_concurrent": 1}])
def test_a_slow_listener_before_a_retry(driver: Any, admission: Any) -> None:
    """The caller gets the API's own error, and the breaker its permit."""
    clock = FakeClock()

    def listen(event: Any) -> None:
        if event.name == "circuit_half_opened":
            clock.advance(100.0)

    transport = driver.transport([ConnectionRefusedError("down"), "placed"])
    rules = {**BREAKER, "when_open": "wait_retries"}
    policy = Policy(deadline="90s", breaker=rules, retry=RETRY, admission=admission)
    pipeline = Pipeline(policy, clock=clock, listeners=[listen])
    with pytest.raises(ConnectionRefusedError):
        driver.call(pipeline.compile(transport))
    assert len(transport.calls) == 1
    assert pipeline.breaker is not None
    assert len(pipeline.breaker.permits) == 0


@pytest.mark.parametrize("is_counted", [True, False])
def test_a_slow_stage(driver: Any, is_counted: bool) -> None:
    """A stage of the program's own that waits until after the deadline: nothing is sent, and it learns of that."""
    clock, ended = FakeClock(), []

    class Slow(Stage):
        def before(self, _call: Any) -> None:
            (clock.advance if is_counted else clock.step_wall)(HOURS)

        def settle(self, _call: Any, error: BaseException | None) -> None:
            ended.append(type(error))

    transport = driver.transport(["placed"])
    pipeline = Pipeline(Policy(deadline="90s"), clock=clock, stages=[Slow()])
    with pytest.raises(DeadlineExceededError):
        driver.call(pipeline.compile(transport))
    assert (len(transport.calls), ended) == (0, [DeadlineExceededError])


@pytest.mark.parametrize("is_counted", [True, False])
def test_a_hedge(is_counted: bool) -> None:
    """The machine slept before a second attempt was to begin beside the first one: it does not begin."""

    class Asleep(FakeClock):
        async def asleep(self, seconds: float) -> None:
            await super().asleep(seconds)
            (self.advance if is_counted else self.step_wall)(HOURS)

    async def read() -> str:
        started.append(1)
        for _ in range(20):
            await asyncio.sleep(0)
        return "price"

    started: list[int] = []
    pipeline = Pipeline(Policy(deadline="90s", hedge={"delay": "1s"}), clock=Asleep(), idempotent=True)  # type: ignore[arg-type]
    assert asyncio.run(pipeline.compile(read)()) == "price"
    assert started == [1]


def test_a_step_of_a_time_server_refuses_nothing(driver: Any) -> None:
    """A wall clock that is set by less than a second has not slept, and one that is set back has not either."""
    for step in (0.9, -HOURS):
        transport = driver.transport([ConnectionRefusedError("down"), "placed"])
        pipeline = Pipeline(Policy(deadline="3s", retry=RETRY), clock=Slept(step))
        assert driver.call(pipeline.compile(transport)) == "placed"


def test_what_was_slept_counts_against_the_deadline(driver: Any) -> None:
    """A sleep that fits the deadline shortens what is left of it."""
    transport = driver.transport([ConnectionRefusedError("down"), ConnectionRefusedError("down"), "placed"])
    pipeline = Pipeline(Policy(deadline="90s", retry=RETRY), clock=Slept(50.0))
    with pytest.raises(ConnectionRefusedError):
        driver.call(pipeline.compile(transport))
    assert len(transport.calls) == 2


@pytest.mark.parametrize("rules", RULES)
def test_a_laptop(driver: Any, rules: str) -> None:
    """However long it sleeps, and whichever clock notices, nothing begins after its deadline."""
    for is_counted in (True, False):
        seen = run(RULES[rules], 60, 3, is_counted=is_counted, kind=driver.kind)
        assert (seen["late attempts"], seen["late lookups"]) == (0, 0)
        assert seen["attempts"] > 20


_STOPPED = """
import time
from resilience import Pipeline, Policy
class Clock:
    def sleep(self, seconds):
        print("waiting", flush=True)
        time.sleep(seconds)
Clock.monotonic, Clock.time = staticmethod(time.monotonic), staticmethod(time.time)
pipeline = Pipeline(Policy(deadline="1s", quota=[{"rate": "2/s", "burst": 1}]), clock=Clock())
call = pipeline.compile(lambda: print("sent", flush=True))
call()
try:
    call()
except Exception as error:
    print(type(error).__name__, flush=True)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
def test_a_stopped_process_sends_nothing() -> None:
    """It waits for its quota when it is stopped, and goes on after the deadline."""
    process = subprocess.Popen([sys.executable, "-c", _STOPPED], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert [process.stdout.readline() for _ in range(2)] == ["sent\n", "waiting\n"]
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(3.0)
        os.kill(process.pid, signal.SIGCONT)
        assert process.stdout.readline() == "DeadlineExceededError\n"


@pytest.mark.parametrize("nested", [False, True])
def test_a_slow_key_factory(driver: Any, nested: bool) -> None:
    """The key of an idempotent call is made until after the deadline: nothing is sent."""
    clock = FakeClock()

    def make_key() -> str:
        clock.advance(100.0)
        return "k"

    policies = Policies.from_mapping({"policies": {"p": {"deadline": "90s"}}}, clock=clock)
    sent: list[str] = []
    send = driver.function(lambda *, client_id="": sent.append(client_id))
    inner: Any = policies.resilient("p", key="client_id", key_factory=make_key, idempotent=True)(send)
    call = inner
    if nested and driver.kind == "sync":
        call = policies.resilient("p")(inner)
    elif nested:

        async def outer() -> Any:
            return await inner()

        call = policies.resilient("p")(outer)
    with pytest.raises(DeadlineExceededError):
        driver.call(call)
    assert sent == []


def test_a_weight_during_which_the_machine_sleeps(driver: Any) -> None:
    """The wall clock alone moves on while the weight of a quota is computed: nothing is sent."""
    clock = FakeClock()

    def weight(*_args: Any, **_kwargs: Any) -> int:
        clock.step_wall(HOURS)
        return 1

    rules: dict[str, Any] = {"quota": [{"rate": "5/s", "weight": weight}], "admission": {"max_concurrent": 1}}
    transport = driver.transport(["placed"])
    with pytest.raises(DeadlineExceededError):
        driver.call(Pipeline(Policy(deadline="90s", **rules), clock=clock).compile(transport))
    assert len(transport.calls) == 0
