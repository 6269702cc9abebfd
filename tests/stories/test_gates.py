"""Tests of quota, slots and lanes as a caller sees them, through every driver."""

from __future__ import annotations

import gc
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from resilience import (
    AdmissionRejectedError,
    CircuitOpenError,
    Pipeline,
    Policies,
    Policy,
    QuotaExceededError,
    current_call,
    failure_of,
)
from resilience.testing import FakeClock

PLAIN = {"kind": "constant", "initial": "1s", "jitter": "none"}
ONE_A_SECOND: dict[str, Any] = {"rate": "1/s", "burst": 1}


class StatusError(Exception):
    """An answer with this status."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(status)
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Bench:
    """Policies on a fake clock, and the events that they emitted."""

    def __init__(self, *, operations: list[Any] | None = None, **policy: Any) -> None:
        self.clock = FakeClock()
        rules = {"policies": {"p": {"codes": ["http"], **policy}}, "operations": operations or []}
        self.policies = Policies.from_mapping(rules, clock=self.clock)
        self.events: list[Any] = []
        self.policies.subscribe(self.events.append)

    def make(self, driver: Any, script: list[Any], **options: Any) -> tuple[Any, Any]:
        """Return a call that never raises, and its transport."""
        transport = driver.transport(script)
        fn = self.policies.resilient("p", **{"operation": "op", **options})(transport)

        def call(*args: Any) -> Any:
            try:
                return driver.call(fn, *args)
            except Exception as error:
                return error

        return call, transport

    @property
    def event_names(self) -> list[str]:
        """The names of the events."""
        return [event.name for event in self.events]

    def left(self) -> list[int]:
        """The remaining sends of each quota of `op`."""
        return [quota["left"] for quota in self.policies.pipeline("p", operation="op").describe()["quota"]]


def test_a_call_waits_for_the_quota(driver: Any) -> None:
    """The second of two calls waits one second and emits `quota_waited`."""
    bench = Bench(quota=[ONE_A_SECOND], deadline="5s")
    call, _ = bench.make(driver, ["a", "b"])
    assert [call(), call()] == ["a", "b"]
    assert bench.clock.sleeps == [1.0]
    assert [(event.name, event.wait_for) for event in bench.events] == [("quota_waited", 1.0)]


def test_a_quota_that_is_exhausted_until_after_the_deadline(driver: Any) -> None:
    """The call is rejected at once, says when to try again, and consumes nothing."""
    bench = Bench(quota=[ONE_A_SECOND], deadline="500ms")
    call, transport = bench.make(driver, ["a", "b"])
    assert call() == "a"
    error = call()
    assert type(error) is QuotaExceededError
    assert (error.retry_after, error.retry_at) == (1.0, bench.clock.time() + 1)
    assert (failure_of(error).executed, failure_of(error).attempts) == ("no", 0)
    assert (bench.event_names, bench.clock.sleeps, len(transport.calls)) == (["call_rejected"], [], 1)
    assert pickle.loads(pickle.dumps(error)).retry_after == 1.0
    bench.clock.advance(1)
    assert call() == "b"


def test_every_attempt_consumes_quota(driver: Any) -> None:
    """A retry waits for the quota like a first attempt, and the event's `wait_for` includes that wait."""
    bench = Bench(quota=[{"rate": "1/10s", "burst": 1}], retry={"max_attempts": 2, "backoff": PLAIN}, deadline="60s")
    call, _ = bench.make(driver, [ConnectionRefusedError(), "fine"])
    assert call() == "fine"
    assert bench.clock.sleeps == [10.0]
    assert [event.wait_for for event in bench.events if event.name == "attempt_failed"] == [10.0]


def test_no_wait_for_a_quota_that_will_still_be_exhausted(driver: Any) -> None:
    """The caller gets the API's error at once, with the rejection as its cause."""
    bench = Bench(quota=[{"rate": "1/10s", "burst": 1}], retry={"max_attempts": 2, "backoff": PLAIN}, deadline="5s")
    error = ConnectionRefusedError()
    call, transport = bench.make(driver, [error, "never"])
    assert call() is error
    assert isinstance(error.__cause__, QuotaExceededError)
    assert (bench.clock.sleeps, len(transport.calls)) == ([], 1)


def test_a_retry_whose_quota_is_consumed_during_its_wait(driver: Any) -> None:
    """Another call consumed the quota: the caller gets the API's error, with the rejection as its cause."""
    bench = Bench(quota=[{"rate": "1/3s", "burst": 1}], retry={"max_attempts": 2, "backoff": PLAIN}, deadline="5s")
    error = ConnectionRefusedError()
    call, _ = bench.make(driver, [error, "never"])
    sleep = bench.clock.sleep

    def greedy(seconds: float) -> None:
        sleep(seconds)
        bench.clock.sleep = sleep  # type: ignore[method-assign]
        assert bench.policies.resilient("p")(lambda: "another")() == "another"

    bench.clock.sleep = greedy  # type: ignore[method-assign]
    assert call() is error
    assert isinstance(error.__cause__, QuotaExceededError)


def test_the_breaker_comes_before_the_quota(driver: Any) -> None:
    """An open breaker rejects before quota is consumed."""
    bench = Bench(quota=[{"rate": "1/s", "burst": 2}], breaker={"consecutive": 1})
    call, _ = bench.make(driver, [ConnectionRefusedError()])
    call()
    assert isinstance(call(), CircuitOpenError)
    assert bench.left() == [1]


def test_a_hold_off_holds_every_call_of_the_key(driver: Any) -> None:
    """After a 429 with Retry-After, other functions under the policy wait too."""
    bench = Bench(quota=[{"rate": "100/s", "burst": 100}], deadline="60s")
    first, _ = bench.make(driver, [StatusError(429, Retry_After="20")])
    second, _ = bench.make(driver, ["fine"], operation="other")
    first()
    assert second() == "fine"
    assert bench.clock.sleeps == [20.0]


def test_a_429_without_a_time_holds_one_span(driver: Any) -> None:
    """The quota is held for one span of its tightest window."""
    bench = Bench(quota=[{"rate": "100/s", "burst": 200}], deadline="60s")
    call, _ = bench.make(driver, [StatusError(429), "fine"])
    call()
    assert bench.policies.pipeline("p").describe()["quota"][0]["held_for"] == 2.0
    assert call() == "fine"
    assert bench.clock.sleeps == [2.0]


def test_a_ban_that_only_the_message_tells_of(driver: Any) -> None:
    """The message gives an instant and no header does: nothing is sent before that instant."""
    bench = Bench(quota=[{"rate": "100/s", "burst": 100}], deadline="60s")
    until = int((bench.clock.time() + 30) * 1000)
    error = StatusError(418)
    error.args = (f"Way too many requests; IP banned until {until}. Please use WebSockets",)
    call, _ = bench.make(driver, [error, "fine"])
    assert failure_of(call()).retry_after == 30.0
    assert call() == "fine"
    assert bench.clock.sleeps == [30.0]


def test_a_transport_reports_what_is_left(driver: Any) -> None:
    """Nothing is left until a reset: the next call waits for the reset."""
    bench = Bench(quota=[{"rate": "100/s", "burst": 100}], deadline="60s")

    def send() -> str:
        call = current_call()
        assert call is not None
        assert call.has_quota
        call.report_limits(remaining=0, resets_in=12.0)
        return "fine"

    call, _ = bench.make(driver, [send, "next"])
    assert [call(), call()] == ["fine", "next"]
    assert bench.clock.sleeps == [12.0]


@pytest.mark.parametrize("action", ["ignore", "error"])
def test_the_names_of_0_1_report_limits_too(driver: Any, action: Any) -> None:
    """The answer has arrived: neither a warning that is an error nor a wrong name may lose it."""
    bench = Bench(quota=[{"rate": "100/s", "burst": 100}], deadline="60s")

    def send() -> str:
        call = current_call()
        assert call is not None
        with warnings.catch_warnings():
            warnings.simplefilter(action)
            assert call.limited
            call.told_limits(remaining=0, resets_in=12.0, odd="?")
        return "fine"

    call, _ = bench.make(driver, [send, "next"])
    assert [call(), call()] == ["fine", "next"]
    assert bench.clock.sleeps == [12.0]


def test_the_names_of_0_1_warn_of_themselves(driver: Any) -> None:
    """Each names the new one and points at the transport."""

    def send() -> bool:
        call = current_call()
        assert call is not None
        with pytest.warns(DeprecationWarning, match="told_limits is deprecated: use report_limits") as caught:
            call.told_limits(remaining=0)
        assert [warning.filename for warning in caught] == [__file__]
        with pytest.warns(DeprecationWarning, match="limited is deprecated: use has_quota"):
            return call.limited

    assert Bench().make(driver, [send])[0]() is False


def test_without_a_quota_nothing_is_learned(driver: Any) -> None:
    """A transport may report limits under any policy."""

    def send() -> bool:
        call = current_call()
        assert call is not None
        call.report_limits(remaining=0)
        return call.has_quota

    assert Bench().make(driver, [send])[0]() is False


def test_entries_are_for_operations_that_match(driver: Any) -> None:
    """A quota names the operations that consume it; the others do not wait."""
    bench = Bench(quota=[{**ONE_A_SECOND, "operations": ["order_*"]}], deadline="5s")
    order, _ = bench.make(driver, ["a", "b"], operation="order_place")
    read, _ = bench.make(driver, ["c"] * 5, operation="read")
    assert [order(), order(), *(read() for _ in range(5))] == ["a", "b"] + ["c"] * 5
    assert bench.clock.sleeps == [1.0]


def test_a_window_by_a_function_of_the_arguments(driver: Any) -> None:
    """Each user has a window, and a heavy request consumes more of it."""
    clock = FakeClock()
    rules = {"rate": 1, "burst": 2, "key": lambda user, n: user, "weight": lambda user, n: n}
    pipeline = Pipeline(Policy(name="p", quota=[rules], deadline="1s"), clock=clock)  # type: ignore[arg-type]
    fn = pipeline.compile(driver.function(lambda user, n: user))
    assert [driver.call(fn, "ann", 2), driver.call(fn, "bob", 1), driver.call(fn, "bob", 1)] == ["ann", "bob", "bob"]
    with pytest.raises(QuotaExceededError):
        driver.call(fn, "ann", 1)
    body = driver.function(lambda user, n: user)
    with pytest.raises(QuotaExceededError):
        driver.call(pipeline.call if driver.kind == "sync" else pipeline.acall, body, "bob", 1)
    assert pipeline.describe()["quota"] == []


def test_a_reserve_lets_cancels_pass(driver: Any) -> None:
    """Orders have consumed their share; a cancel is still sent at once."""
    lanes = [{"match": "cancel_*", "lane": "cancel"}]
    bench = Bench(quota=[{"rate": "1/s", "burst": 2, "reserve": "50%"}], deadline="500ms", operations=lanes)
    order, _ = bench.make(driver, ["a", "never"], operation="order")
    cancel, _ = bench.make(driver, ["b"], operation="cancel_order")
    assert order() == "a"
    assert isinstance(order(), QuotaExceededError)
    assert cancel() == "b"


def test_a_call_beyond_the_slots_is_rejected(driver: Any) -> None:
    """With one slot and no queue, a second call is rejected, and nothing was sent."""
    bench = Bench(admission={"max_concurrent": 1}, quota=[{"rate": "1/s", "burst": 9}])
    second, _ = bench.make(driver, [])

    def first() -> Any:
        with ThreadPoolExecutor(1) as pool:
            error = pool.submit(second).result()
        return error, bench.policies.pipeline("p").describe()["admission"]["lanes"]["default"]

    call, _ = bench.make(driver, [first, "again"])
    error, lane = call()
    assert lane == {"running": 1, "waiting": 0}
    assert isinstance(error, AdmissionRejectedError)
    assert (bench.event_names, failure_of(error).executed) == (["call_rejected"], "no")
    assert bench.left() == [8]
    assert call() == "again"


def test_a_call_in_its_backoff_holds_no_slot(driver: Any) -> None:
    """While one call waits for its retry, another one may take the slot."""
    bench = Bench(admission={"max_concurrent": 1}, retry={"max_attempts": 2, "backoff": PLAIN})
    free: list[int] = []
    sleep = bench.clock.sleep

    def watched(seconds: float) -> None:
        free.append(bench.policies.pipeline("p").describe()["admission"]["lanes"]["default"]["running"])
        sleep(seconds)

    bench.clock.sleep = watched  # type: ignore[method-assign]
    call, _ = bench.make(driver, [ConnectionRefusedError(), "fine"])
    assert call() == "fine"
    assert free == [0]


def test_a_high_priority_lane_has_its_own_trial_permit(driver: Any) -> None:
    """The one trial permit of a half-open breaker is taken; a cancel still gets a permit, once."""
    lanes = [{"match": "cancel", "lane": "cancel"}]
    bench = Bench(breaker={"consecutive": 1, "open_for": "1s"}, operations=lanes)
    call, _ = bench.make(driver, [ConnectionRefusedError()])
    call()
    bench.clock.advance(2)
    breaker = bench.policies.pipeline("p").breaker
    assert breaker is not None
    trial = breaker.admit(bench.clock.monotonic())
    assert trial is not None
    assert isinstance(bench.make(driver, [])[0](), CircuitOpenError)
    seen: list[Any] = []

    def cancel() -> str:
        seen.append(breaker.admit(bench.clock.monotonic(), high_priority=True))
        return "cancelled"

    assert bench.make(driver, [cancel], operation="cancel")[0]() == "cancelled"
    assert seen == [None]


def test_rejections_leave_nothing_alive(driver: Any) -> None:
    """No cycle keeps a rejection or its frames alive."""
    rules = {"quota": [ONE_A_SECOND], "admission": {"max_concurrent": 1}, "deadline": "500ms"}
    policies = Policies.from_mapping({"policies": {"p": rules}}, clock=FakeClock())
    fn = policies.resilient("p")(driver.transport(["a"]))
    driver.call(fn)

    def be_rejected() -> None:
        try:
            driver.call(fn)
        except QuotaExceededError:
            pass

    be_rejected()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(10):
            be_rejected()
        if driver.kind == "sync":  # an event loop keeps objects of its own
            # one object a call would be ten; threads of other tests may make or drop a few
            assert len(gc.get_objects()) - before < 10
    finally:
        gc.enable()


def test_describe_shows_quota_and_slots(driver: Any) -> None:
    """Quotas with what is left, lanes with the calls that run and wait; neither where the policy has none."""
    bench = Bench(quota=[{"rate": "10/s", "burst": 20}], admission={"max_concurrent": 3, "max_queue": 4})
    bench.make(driver, ["a"])[0]()
    description = bench.policies.pipeline("p").describe()
    assert description["quota"] == [{"key": "", "burst": 20, "span": 2.0, "left": 19, "held_for": None}]
    nobody = {"running": 0, "waiting": 0}
    lanes = {"cancel": nobody, "default": nobody}
    assert description["admission"] == {"max_concurrent": 3, "max_queue": 4, "lanes": lanes}
    bare = Policies.from_mapping({"policies": {"q": {}}}).pipeline("q").describe()
    assert (bare["quota"], bare["admission"]) == ([], None)


def test_a_high_priority_call_that_waits_for_the_breaker_has_its_own_trial_permit(driver: Any) -> None:
    """Another call has the trial permit: a cancel under `when_open: wait` does not wait for it."""
    lanes = [{"match": "cancel", "lane": "cancel"}]
    bench = Bench(operations=lanes, breaker={"when_open": "wait", "open_for": "1s"}, deadline="60s")
    breaker = bench.policies.pipeline("p").breaker
    assert breaker is not None
    breaker.open()
    bench.clock.advance(1)
    assert breaker.admit(bench.clock.monotonic()) is not None
    assert bench.make(driver, ["cancelled"], operation="cancel")[0]() == "cancelled"
    assert bench.clock.sleeps == []


def test_slow_answers_open_the_breaker(driver: Any) -> None:
    """An answer counts as slow from its limit on; quick ones in between keep the breaker closed."""
    clock, seconds = FakeClock(), [0.0]
    rules = {"slow_rate": "60%", "slow_after": "2s", "failure_rate": None, "consecutive": None, "min_calls": 4}
    pipeline = Pipeline(Policy(breaker={**rules, "window": "60s"}), clock=clock)  # type: ignore[arg-type]

    def answer() -> int:
        clock.advance(seconds[0])
        return 1

    call, counts = pipeline.compile(driver.function(answer)), list[Any]()
    for seconds[0] in (2.0, 2.5, 3.0, 4.0):
        driver.call(call)
        assert pipeline.breaker is not None
        counts.append((pipeline.breaker.state, pipeline.breaker.counts["slow"]))
    assert counts == [("closed", 0), ("closed", 1), ("closed", 2), ("open", 3)]
