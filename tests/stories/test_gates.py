"""Quota, slots and lanes as a caller sees them, told once and run through every driver."""

from __future__ import annotations

import gc
import pickle
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
from resilience._core.call.operation_info import OperationInfo
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
    """Policies on a fake clock, and what they told."""

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
    def told(self) -> list[str]:
        """The events' names."""
        return [event.name for event in self.events]

    def left(self) -> list[int]:
        """What the quotas of `op` have left."""
        return [one["left"] for one in self.policies.pipeline("p", operation="op").describe()["quota"]]


def test_a_call_waits_for_the_quota(driver: Any) -> None:
    """The second of two waits its second, and tells so."""
    bench = Bench(quota=[ONE_A_SECOND], deadline="5s")
    call, _ = bench.make(driver, ["a", "b"])
    assert [call(), call()] == ["a", "b"]
    assert bench.clock.sleeps == [1.0]
    assert [(event.name, event.wait_for) for event in bench.events] == [("quota_waited", 1.0)]


def test_no_room_before_the_deadline(driver: Any) -> None:
    """It is refused at once, says when, and has taken nothing: the next one comes as early as if it had not asked."""
    bench = Bench(quota=[ONE_A_SECOND], deadline="500ms")
    call, transport = bench.make(driver, ["a", "b"])
    assert call() == "a"
    got = call()
    assert type(got) is QuotaExceededError
    assert (got.retry_after, got.retry_at) == (1.0, bench.clock.time() + 1)
    assert (failure_of(got).executed, failure_of(got).attempts) == ("no", 0)
    assert (bench.told, bench.clock.sleeps, len(transport.calls)) == (["call_rejected"], [], 1)
    assert pickle.loads(pickle.dumps(got)).retry_after == 1.0
    bench.clock.advance(1)
    assert call() == "b"


def test_every_attempt_pays(driver: Any) -> None:
    """A retry waits for the quota like any other attempt, and its wait is part of the call's."""
    bench = Bench(quota=[{"rate": "1/10s", "burst": 1}], retry={"max_attempts": 2, "backoff": PLAIN}, deadline="60s")
    call, _ = bench.make(driver, [ConnectionRefusedError(), "fine"])
    assert call() == "fine"
    assert bench.clock.sleeps == [10.0]
    assert [event.wait_for for event in bench.events if event.name == "attempt_failed"] == [10.0]


def test_no_wait_towards_a_quota_that_will_still_refuse(driver: Any) -> None:
    """The caller gets the API's error at once; the refusal is its cause."""
    bench = Bench(quota=[{"rate": "1/10s", "burst": 1}], retry={"max_attempts": 2, "backoff": PLAIN}, deadline="5s")
    error = ConnectionRefusedError()
    call, transport = bench.make(driver, [error, "never"])
    assert call() is error
    assert isinstance(error.__cause__, QuotaExceededError)
    assert (bench.clock.sleeps, len(transport.calls)) == ([], 1)


def test_a_retry_whose_quota_is_gone_when_it_comes(driver: Any) -> None:
    """Somebody else took it during the wait: the API's error, and the refusal as its cause."""
    bench = Bench(quota=[{"rate": "1/3s", "burst": 1}], retry={"max_attempts": 2, "backoff": PLAIN}, deadline="5s")
    error = ConnectionRefusedError()
    call, _ = bench.make(driver, [error, "never"])
    sleep = bench.clock.sleep

    def greedy(seconds: float) -> None:
        sleep(seconds)
        bench.clock.sleep = sleep  # type: ignore[method-assign]
        gauge = bench.policies._shared.limits._quotas[("p", 0), "", ""].common
        assert gauge.take(bench.clock.monotonic()) == bench.clock.monotonic()

    bench.clock.sleep = greedy  # type: ignore[method-assign]
    assert call() is error
    assert isinstance(error.__cause__, QuotaExceededError)


def test_the_breaker_is_asked_first(driver: Any) -> None:
    """An open breaker refuses before anything is paid."""
    bench = Bench(quota=[{"rate": "1/s", "burst": 2}], breaker={"consecutive": 1})
    call, _ = bench.make(driver, [ConnectionRefusedError()])
    call()
    assert isinstance(call(), CircuitOpenError)
    assert bench.left() == [1]


def test_a_hold_off_holds_every_call_of_the_key(driver: Any) -> None:
    """429 with a Retry-After: another function under the policy waits as long."""
    bench = Bench(quota=[{"rate": "100/s", "burst": 100}], deadline="60s")
    first, _ = bench.make(driver, [StatusError(429, Retry_After="20")])
    second, _ = bench.make(driver, ["fine"], operation="other")
    first()
    assert second() == "fine"
    assert bench.clock.sleeps == [20.0]


def test_a_429_without_a_time_holds_one_span(driver: Any) -> None:
    """The window that is closest begins anew."""
    bench = Bench(quota=[{"rate": "100/s", "burst": 200}], deadline="60s")
    call, _ = bench.make(driver, [StatusError(429), "fine"])
    call()
    assert bench.policies.pipeline("p").describe()["quota"][0]["held_for"] == 2.0
    assert call() == "fine"
    assert bench.clock.sleeps == [2.0]


def test_a_ban_that_is_told_in_words(driver: Any) -> None:
    """No header, but an instant in the message: nothing is sent before it."""
    bench = Bench(quota=[{"rate": "100/s", "burst": 100}], deadline="60s")
    until = int((bench.clock.time() + 30) * 1000)
    error = StatusError(418)
    error.args = (f"Way too many requests; IP banned until {until}. Please use WebSockets",)
    call, _ = bench.make(driver, [error, "fine"])
    assert failure_of(call()).retry_after == 30.0
    assert call() == "fine"
    assert bench.clock.sleeps == [30.0]


def test_a_transport_tells_what_is_left(driver: Any) -> None:
    """Nothing left until a reset: the next call waits for it."""
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


def test_without_a_quota_nothing_is_learned(driver: Any) -> None:
    """A transport may tell limits whatever the policy."""

    def send() -> bool:
        call = current_call()
        assert call is not None
        call.report_limits(remaining=0)
        return call.has_quota

    assert Bench().make(driver, [send])[0]() is False


def test_windows_by_key_are_bounded() -> None:
    """Five thousand users: the windows that were made first are forgotten."""
    rules = {"rate": 1, "burst": 1, "key": lambda user: user}
    pipeline = Pipeline(Policy(name="p", quota=[rules]), clock=FakeClock())  # type: ignore[arg-type]
    call = pipeline.compile(lambda user: user)
    for user in range(5000):
        call(user)
    assert len(pipeline._shared.limits._quotas) <= 4096


def test_entries_are_for_operations_that_match(driver: Any) -> None:
    """A window names the operations that pay it; the others are free."""
    bench = Bench(quota=[{**ONE_A_SECOND, "operations": ["order_*"]}], deadline="5s")
    order, _ = bench.make(driver, ["a", "b"], operation="order_place")
    read, _ = bench.make(driver, ["c"] * 5, operation="read")
    assert [order(), order(), *(read() for _ in range(5))] == ["a", "b"] + ["c"] * 5
    assert bench.clock.sleeps == [1.0]


def test_a_window_by_a_function_of_the_arguments(driver: Any) -> None:
    """Each user has a window of their own, and a heavy request pays more."""
    clock = FakeClock()
    rules = {"rate": 1, "burst": 2, "key": lambda user, n: user, "weight": lambda user, n: n}
    pipeline = Pipeline(Policy(name="p", quota=[rules], deadline="1s"), clock=clock)  # type: ignore[arg-type]
    fn = pipeline.compile(driver.function(lambda user, n: user))
    assert [driver.call(fn, "ann", 2), driver.call(fn, "bob", 1), driver.call(fn, "bob", 1)] == ["ann", "bob", "bob"]
    with pytest.raises(QuotaExceededError):
        driver.call(fn, "ann", 1)
    body = driver.function(lambda user, n: user)
    with pytest.raises(QuotaExceededError):
        driver.call(pipeline.call if driver.colour == "sync" else pipeline.acall, body, "bob", 1)
    assert pipeline.describe()["quota"] == []


def test_a_reserve_keeps_cancels_going(driver: Any) -> None:
    """Orders have used up their share; a cancel still goes at once."""
    lanes = [{"match": "cancel_*", "lane": "cancel"}]
    bench = Bench(quota=[{"rate": "1/s", "burst": 2, "reserve": "50%"}], deadline="500ms", operations=lanes)
    order, _ = bench.make(driver, ["a", "never"], operation="order")
    cancel, _ = bench.make(driver, ["b"], operation="cancel_order")
    assert order() == "a"
    assert isinstance(order(), QuotaExceededError)
    assert cancel() == "b"


def test_a_full_house_refuses(driver: Any) -> None:
    """One slot, no queue: a call inside the call is turned away, and says that nothing was sent."""
    bench = Bench(admission={"max_concurrent": 1}, quota=[{"rate": "1/s", "burst": 9}])
    inner, _ = bench.make(driver, [])

    def outer() -> Any:
        return bench.policies.pipeline("p").describe()["admission"]["lanes"]["default"]

    call, _ = bench.make(driver, [outer, "again"])
    assert call() == {"running": 1, "waiting": 0}
    admission = bench.policies._shared.limits._admissions["p"]
    slot = admission.try_enter("")
    assert slot is not None
    got = inner()
    assert isinstance(got, AdmissionRejectedError)
    assert (bench.told, failure_of(got).executed) == (["call_rejected"], "no")
    assert bench.left() == [8]
    admission.release(slot)
    assert call() == "again"


def test_a_call_in_its_backoff_holds_no_slot(driver: Any) -> None:
    """While one call waits for its retry, the slot is free for another."""
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


def test_a_lane_by_a_function_has_a_permit_of_its_own(driver: Any) -> None:
    """The one trial of a half-open breaker is out: a cancel still gets through, once."""
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


def test_refusals_leave_nothing_alive(driver: Any) -> None:
    """No cycle keeps a refusal or its frames."""
    bench = Bench(quota=[ONE_A_SECOND], admission={"max_concurrent": 1}, deadline="500ms")
    fn = bench.policies.resilient("p")(driver.transport(["a"]))
    driver.call(fn)

    def refused() -> None:
        try:
            driver.call(fn)
        except QuotaExceededError:
            pass

    bench.policies._shared.events.listeners = ()  # the list of events would keep them
    refused()
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        for _ in range(10):
            refused()
        if driver.colour == "sync":  # an event loop keeps objects of its own
            assert len(gc.get_objects()) - before == 0
    finally:
        gc.enable()


def test_describe_shows_quota_and_slots(driver: Any) -> None:
    """Windows with what is left, lanes with who runs and waits; neither where the policy has none."""
    bench = Bench(quota=[{"rate": "10/s", "burst": 20}], admission={"max_concurrent": 3, "max_queue": 4})
    bench.make(driver, ["a"])[0]()
    told = bench.policies.pipeline("p").describe()
    assert told["quota"] == [{"key": "", "burst": 20, "span": 2.0, "left": 19, "held_for": None}]
    nobody = {"running": 0, "waiting": 0}
    lanes = {"cancel": nobody, "default": nobody}
    assert told["admission"] == {"max_concurrent": 3, "max_queue": 4, "lanes": lanes}
    bare = Policies.from_mapping({"policies": {"q": {}}}).pipeline("q").describe()
    assert (bare["quota"], bare["admission"]) == ([], None)


def test_an_urgent_call_that_waits_for_the_breaker_has_a_trial_of_its_own(driver: Any) -> None:
    """Somebody else's trial is out: a cancel under `when_open: wait` does not stand behind it."""
    clock = FakeClock()
    pipeline = Pipeline(Policy(breaker={"when_open": "wait", "open_for": "1s"}, deadline="60s"), clock=clock)  # type: ignore[arg-type]
    breaker = pipeline.breaker
    assert breaker is not None
    breaker.open()
    clock.advance(1)
    assert breaker.admit(clock.monotonic()) is not None
    call = pipeline.compile(driver.transport(["cancelled"]), OperationInfo(operation="cancel", lane="cancel"))
    assert driver.call(call) == "cancelled"
    assert clock.sleeps == []
