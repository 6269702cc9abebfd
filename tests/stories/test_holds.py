"""Tests of holds as a caller sees them: what is sent while an API has asked to wait, through every driver."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from resilience import (
    DeadlineExceededError,
    Pipeline,
    Policies,
    Policy,
    QuotaExceededError,
    RejectedError,
    failure_of,
)
from resilience.testing import FakeClock

RETRY = {"max_attempts": 3, "backoff": {"kind": "constant", "initial": "1s", "jitter": "none"}}


class StatusError(Exception):
    """An answer with this status."""

    def __init__(self, status: int, wait: str | None = None, text: str = "") -> None:
        super().__init__(text)
        self.status_code = status
        self.headers = {} if wait is None else {"Retry-After": wait}


class Bench:
    """Policies on a fake clock, and the events that they emitted."""

    def __init__(self, clock: FakeClock | None = None, **policy: Any) -> None:
        self.clock = clock or FakeClock()
        settings = {"codes": ["http"], "deadline": "10s", **policy}
        self.policies = Policies.from_mapping({"policies": {"p": settings, "q": settings}}, clock=self.clock)
        self.events: list[Any] = []
        self.policies.subscribe(self.events.append)

    def make(self, driver: Any, *script: Any, policy: str = "p", **options: Any) -> tuple[Any, Any]:
        """Return a call that never raises, and its transport."""
        transport = driver.transport(script)
        fn = self.policies.resilient(policy, **{"operation": "op", **options})(transport)

        def call(*args: Any) -> Any:
            try:
                return driver.call(fn, *args)
            except Exception as error:
                return error

        return call, transport

    def event_names(self) -> list[str]:
        """The names of the events."""
        return [event.name for event in self.events]


@pytest.mark.parametrize("status", [418, 429, 503])
def test_a_call_that_cannot_wait_is_rejected(driver: Any, status: int) -> None:
    """Nothing is sent; the error says when to try again and why, also after it was pickled."""
    bench = Bench()
    call, transport = bench.make(driver, StatusError(status, "120"), "fine", idempotent=True)
    assert type(call()) is StatusError
    bench.clock.advance(20.0)
    error = call()
    assert type(error) is QuotaExceededError
    assert (error.retry_after, error.retry_at, error.reason) == (100.0, bench.clock.time() + 100, "hold")
    assert (failure_of(error).executed, failure_of(error).attempts) == ("no", 0)
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.reason, copy.retry_after) == ("hold", 100.0)
    assert (len(transport.calls), bench.clock.sleeps) == (1, [])
    rejected = bench.events[-1]
    assert (rejected.name, rejected.reason, rejected.retry_after) == ("call_rejected", "hold", 100.0)


def test_a_call_that_can_wait_waits(driver: Any) -> None:
    """It is sent when the hold ends, and each hold is reported once."""
    bench = Bench(deadline="200s", retry=None)
    call, transport = bench.make(driver, StatusError(429, "120"), "fine", "again")
    call()
    assert [call(), call()] == ["fine", "again"]
    assert (bench.clock.sleeps, len(transport.calls)) == ([120.0], 3)
    names = ["attempt_failed", "call_failed", "hold_ended", "hold_started"]
    assert sorted(bench.event_names()) == names
    started, ended = (next(e for e in bench.events if e.name == name) for name in ("hold_started", "hold_ended"))
    assert (started.level, started.scope, started.reason, started.code) == (
        "warning",
        "operation",
        "retry_after",
        "429",
    )
    assert (started.operation, started.policy, started.retry_after, started.hold_max) == ("op", "p", 120.0, None)
    assert (ended.level, ended.scope, ended.reason, ended.operation) == ("info", "operation", "over", "op")
    assert started.until == ended.at


def test_a_429_without_a_time_holds_nothing(driver: Any) -> None:
    """Nobody knows its end: the next call is sent."""
    bench = Bench()
    call, transport = bench.make(driver, StatusError(429), "fine")
    call()
    assert (call(), len(transport.calls), bench.policies.snapshot()["holds"]) == ("fine", 2, [])


def test_other_operations_go_on(driver: Any) -> None:
    """A decorated function has no host, so that even a ban holds its operation alone; another policy's is held too."""
    bench = Bench()
    call, _ = bench.make(driver, StatusError(418, "120"))
    other, _ = bench.make(driver, "fine", operation="other")
    same, same_transport = bench.make(driver, "fine", policy="q")
    call()
    assert other() == "fine"
    assert same().reason == "hold"
    assert same_transport.calls == []


def test_a_retry_under_way_waits_for_the_end(driver: Any) -> None:
    """Another call of the operation is told to wait while this one waits for its retry."""

    class Meanwhile(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            self._tell()

        def _tell(self) -> None:
            if len(self.sleeps) == 1:
                with pytest.raises(StatusError):
                    bench.policies.pipeline(Policy(name="r", codes=("http",)), operation="op").call(
                        _raise, StatusError(429, "30")
                    )

    bench = Bench(Meanwhile(), deadline="60s", retry=RETRY)
    call, transport = bench.make(driver, StatusError(500), "fine", idempotent=True)
    assert call() == "fine"
    assert (bench.clock.sleeps, len(transport.calls)) == ([1.0, 30.0], 2)


def _raise(error: Exception) -> None:
    raise error


def test_a_ban_that_outlasts_the_deadline_ends_the_call(driver: Any) -> None:
    """The caller gets the API's own error at once, which says when the ban ends."""
    bench = Bench(deadline="20s", retry=RETRY)
    call, transport = bench.make(driver, StatusError(418, text="IP banned until 1700000120000"), idempotent=True)
    error = call()
    assert (type(error), failure_of(error).retry_after, failure_of(error).retry_at) == (
        StatusError,
        120.0,
        1700000120.0,
    )
    assert (len(transport.calls), bench.clock.sleeps) == (1, [])


def test_a_retry_that_a_hold_forbids_ends_the_call(driver: Any) -> None:
    """While the attempt runs, another one is told to wait: the API's own error has the rejection as its cause."""
    bench = Bench(deadline="20s", retry=RETRY)
    sent: list[str] = []

    def body() -> None:
        sent.append("op")
        other = bench.policies.pipeline(Policy(name="r", codes=("http",)), operation="op")
        with pytest.raises(StatusError):
            other.call(_raise, StatusError(503, "120"))
        raise StatusError(500)

    fn = bench.policies.resilient("p", operation="op", idempotent=True)(driver.function(body))
    with pytest.raises(StatusError) as caught:
        driver.call(fn)
    rejection: Any = caught.value.__cause__
    assert (type(rejection), rejection.reason, rejection.retry_after) == (QuotaExceededError, "hold", 120.0)
    assert (sent, bench.clock.sleeps) == (["op"], [])


def test_a_ban_that_ends_in_time_is_waited_for(driver: Any) -> None:
    """The retry is sent when the ban that the text states is over."""
    bench = Bench(deadline="300s", retry=RETRY)
    error = StatusError(418, text="IP banned until 1700000120000")
    call, transport = bench.make(driver, error, "fine", idempotent=True)
    assert (call(), bench.clock.sleeps, len(transport.calls)) == ("fine", [120.0], 2)


class Late(FakeClock):
    """A clock whose sleeps last a minute longer than asked for, as when a process was stopped."""

    def sleep(self, seconds: float) -> None:
        """Sleep for too long."""
        super().sleep(seconds)
        self.advance(60.0)


def test_a_wait_that_ends_after_the_deadline_sends_nothing(driver: Any) -> None:
    """The deadline is checked when the wait for a hold ends, of a first attempt and of a retry."""
    bench = Bench(Late(), deadline="30s")
    call, transport = bench.make(driver, StatusError(429, "20"), "fine")
    call()
    error = call()
    assert (type(error), error.reason, len(transport.calls)) == (DeadlineExceededError, "deadline", 1)
    bench = Bench(Late(), deadline="30s", retry=RETRY)
    call, transport = bench.make(driver, StatusError(500), "fine", idempotent=True)
    error = call()
    assert (type(error), type(error.__cause__), len(transport.calls)) == (StatusError, DeadlineExceededError, 1)


@pytest.mark.parametrize("parts", [{}, {"quota": [{"rate": "100/s", "burst": 100}]}, {"admission": {}}])
def test_release_lifts_a_hold(driver: Any, parts: Any) -> None:
    """With or without a quota the next call is sent; the release is reported and counted."""
    bench = Bench(**parts)
    call, transport = bench.make(driver, StatusError(418, "120"), "fine")
    call()
    assert call().reason == "hold"
    assert (bench.policies.release("q"), bench.policies.release("p"), bench.policies.release()) == (0, 1, 0)
    assert (call(), len(transport.calls)) == ("fine", 2)
    assert [(e.reason, e.scope, e.operation) for e in bench.events if e.name == "hold_ended"] == [
        ("released", "operation", "op")
    ]


def test_a_long_hold_is_kept_and_reported_once_as_an_error(driver: Any) -> None:
    """An hour is longer than `hold_max`; a minute is not."""
    bench = Bench(hold_max="10m")
    call, transport = bench.make(driver, StatusError(418, "3600"), "fine")
    call()
    for _ in range(3):
        assert call().reason == "hold"
    assert [(e.level, e.hold_max) for e in bench.events if e.name == "hold_started"] == [("error", 600.0)]
    bench.clock.advance(3600.0)
    assert (call(), len(transport.calls)) == ("fine", 2)


def test_holds_are_listed_as_plain_data(driver: Any) -> None:
    """The snapshot and the pipeline's description have the hold until it ends."""
    bench = Bench()
    call, _ = bench.make(driver, StatusError(429, "120"), "fine")
    call()
    bench.clock.advance(20.0)
    snapshot = json.loads(json.dumps(bench.policies.snapshot()))
    hold = {
        "scope": "operation",
        "host": "",
        "account": "",
        "operation": "op",
        "reason": "retry_after",
        "until": bench.clock.time() + 100,
        "seconds_left": 100.0,
        "policies": ["p"],
    }
    assert (snapshot["at"], snapshot["holds"]) == (bench.clock.time(), [hold])
    assert bench.policies.pipeline("p").describe()["holds"] == [hold]
    assert bench.policies.pipeline("q").describe()["holds"] == []
    bench.clock.advance(100.0)
    assert bench.policies.snapshot()["holds"] == []


def test_a_ban_leaves_the_breaker_alone(driver: Any) -> None:
    """Ten bans in a row neither open it nor dilute its rate; the same number of 503 opens it."""
    breaker = {"min_calls": 5, "failure_rate": "50%"}
    for status, state in ((418, "closed"), (500, "open")):
        bench = Bench(breaker=breaker)
        call, _ = bench.make(driver, *[StatusError(status) for _ in range(10)])
        for _ in range(10):
            call()
        described = bench.policies.pipeline("p").describe()["breaker"]
        assert described["state"] == state


def test_a_call_that_waits_for_its_breaker_meets_the_hold(driver: Any) -> None:
    """With `when_open: wait` a first attempt waits for the breaker, and then for the hold that began meanwhile."""
    bench = Bench(deadline="100s", breaker={"when_open": "wait", "open_for": "5s"})
    call, transport = bench.make(driver, StatusError(429, "30"), "fine")
    call()
    breaker = bench.policies.pipeline("p").breaker
    assert breaker is not None
    breaker.open()
    assert (call(), sum(bench.clock.sleeps), len(transport.calls)) == ("fine", 30.0, 2)


def test_a_call_in_the_queue_meets_the_hold(driver: Any) -> None:
    """A call that waits for quota is not sent in a hold that began while it waited."""

    class Meanwhile(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            self.tell()

        def tell(self) -> None:
            if len(self.sleeps) == 1:
                other = bench.policies.pipeline(Policy(name="r", codes=("http",)), operation="op")
                with pytest.raises(StatusError):
                    other.call(_raise, StatusError(503, "30"))

    bench = Bench(Meanwhile(), deadline="100s", quota=[{"rate": "1/s", "burst": 1}])
    call, _ = bench.make(driver, "first", "second")
    assert [call(), call()] == ["first", "second"]
    assert bench.clock.sleeps == [1.0, 30.0]


def test_a_hold_survives_a_reload_and_reaches_new_pipelines(tmp_path: Any, driver: Any) -> None:
    """The file is changed during the hold: the operation is held under the new settings too."""
    file = tmp_path / "p.yaml"
    file.write_text("version: 1\npolicies: {p: {codes: [http], deadline: 10s}}\n", encoding="utf-8")
    clock = FakeClock()
    policies = Policies.load(file, clock=clock)
    first = policies.pipeline("p", operation="op")
    with pytest.raises(StatusError):
        first.call(_raise, StatusError(429, "120"))
    file.write_text("version: 1\npolicies: {p: {codes: [http], deadline: 20s}}\n", encoding="utf-8")
    policies.reload()
    later = policies.pipeline("p", operation="op")
    for pipeline in (first, later):
        with pytest.raises(QuotaExceededError) as caught:
            pipeline.call(len, "abc")
        assert caught.value.reason == "hold"


def test_many_threads_send_nothing_once_they_know() -> None:
    """Each of eight threads can be on its way when the first answer comes; after that none of 160 calls is sent."""
    bench = Bench()
    sent: list[int] = []

    @bench.policies.resilient("p", operation="op")
    def poll() -> None:
        sent.append(1)
        raise StatusError(429, "120")

    def poll_often(_: int) -> list[str]:
        errors = []
        for _ in range(20):
            with pytest.raises((StatusError, QuotaExceededError)) as caught:
                poll()
            errors.append(type(caught.value).__name__)
        return errors

    with ThreadPoolExecutor(8) as pool:
        errors = [name for names in pool.map(poll_often, range(8)) for name in names]
    assert errors.count("StatusError") == len(sent) <= 8
    assert bench.event_names().count("hold_started") == 1


def test_a_fallback_stands_in_during_a_hold(driver: Any) -> None:
    """The rejection is an error like any other to the fallback, and nothing is sent."""
    bench = Bench(fallback={"value": "old"})
    call, transport = bench.make(driver, StatusError(418, "120"))
    assert [call(), call(), len(transport.calls)] == ["old", "old", 1]


def test_each_rejection_has_its_reason() -> None:
    """The word says which part rejected; a rejection that was pickled by an older version has it too."""
    import resilience

    reasons = {"CircuitOpen": "breaker", "QuotaExceeded": "quota", "AdmissionRejected": "admission"}
    for name, reason in {**reasons, "DeadlineExceeded": "deadline", "Rejected": ""}.items():
        error = getattr(resilience, f"{name}Error")("text")
        assert (error.reason, vars(error).get("reason")) == (reason, None)
    assert RejectedError(reason="stopped").reason == "stopped"


def test_a_pipeline_without_a_file_has_holds_of_its_own(driver: Any) -> None:
    """A `Pipeline` shares its holds with nobody."""
    clock = FakeClock()
    policy = Policy(name="p", codes=("http",), deadline=10)
    first, second = Pipeline(policy, clock=clock, operation="op"), Pipeline(policy, clock=clock, operation="op")
    with pytest.raises(StatusError):
        first.call(_raise, StatusError(429, "120"))
    with pytest.raises(QuotaExceededError):
        first.call(len, "abc")
    assert second.call(len, "abc") == 3
