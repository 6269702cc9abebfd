"""Tests of what a caller sees, through every driver: results, errors, waits and events."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import (
    CircuitOpenError,
    DeadlineExceededError,
    Pipeline,
    Policies,
    Policy,
    RejectedError,
    Stage,
    current_call,
    failure_of,
)
from resilience.testing import FakeClock

PLAIN = {"kind": "constant", "initial": "1s", "jitter": "none"}


class StatusError(Exception):
    """An answer with this status."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(status)
        self.status_code = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Bench:
    """Policies on a fake clock, and the events that they emitted."""

    def __init__(self, **policy: Any) -> None:
        self.clock = FakeClock()
        self.policies = Policies.from_mapping({"policies": {"p": {"codes": ["http"], **policy}}}, clock=self.clock)
        self.events: list[Any] = []
        self.policies.subscribe(self.events.append)

    def call(self, driver: Any, script: list[Any], **options: Any) -> tuple[Any, Any]:
        """Run a script; return the result or the error, and the transport."""
        transport = driver.transport(script)
        fn = self.policies.resilient("p", operation="op", **options)(transport)
        try:
            return driver.call(fn), transport
        except Exception as error:
            return error, transport

    @property
    def event_names(self) -> list[str]:
        """The names of the events."""
        return [event.name for event in self.events]


RETRY: dict[str, Any] = {"retry": {"max_attempts": 3, "backoff": PLAIN}}


def test_success_is_silent(driver: Any) -> None:
    """A call that succeeds returns its value and emits nothing."""
    bench = Bench(**RETRY)
    assert bench.call(driver, ["fine"])[0] == "fine"
    assert (bench.event_names, bench.clock.sleeps) == ([], [])


def test_a_call_recovers(driver: Any) -> None:
    """Two retryable failures, then success: an info for each of the three."""
    bench = Bench(**RETRY)
    assert bench.call(driver, [StatusError(429), ConnectionRefusedError(), "fine"])[0] == "fine"
    assert bench.clock.sleeps == [1.0, 1.0]
    assert bench.event_names == ["attempt_failed"] * 2 + ["call_recovered"]
    first = bench.events[0]
    assert (first.policy, first.operation, first.attempt, first.category) == ("p", "op", 1, "retryable")
    assert (first.code, first.http_status, first.executed, first.level) == ("429", 429, "no", "info")
    assert (first.wait_for, bench.events[-1].attempt, bench.events[-1].level) == (1.0, 3, "info")


def test_attempts_are_exhausted(driver: Any) -> None:
    """The caller gets the last error itself; there is no sleep after the last attempt."""
    bench = Bench(**RETRY)
    errors = [ConnectionRefusedError(str(n)) for n in range(3)]
    got, transport = bench.call(driver, list(errors))
    assert got is errors[2]
    assert got.__context__ is None
    assert len(transport.calls) == 3
    assert bench.clock.sleeps == [1.0, 1.0]
    assert bench.event_names[-3:] == ["attempt_failed", "retries_exhausted", "call_failed"]
    assert (bench.events[-1].level, bench.events[-1].attempts) == ("warning", 3)
    failure = failure_of(got)
    assert (failure.attempts, failure.operation, failure.executed) == (3, "op", "no")
    assert got.__notes__ == [
        "resilience: retryable connection_refused after 3 attempts, executed: no; " + failure.remedy
    ]


@pytest.mark.parametrize(
    ("error", "category"), [(StatusError(404), "fatal"), (StatusError(402), "user_fixable"), (KeyError("x"), "fatal")]
)
def test_errors_that_are_not_retryable_are_not_retried(driver: Any, error: Exception, category: str) -> None:
    """Fatal and user-fixable errors are raised at once."""
    bench = Bench(**RETRY)
    got, transport = bench.call(driver, [error], idempotent=True)
    assert got is error
    assert len(transport.calls) == 1
    assert failure_of(got).category == category
    assert bench.event_names == ["attempt_failed", "call_failed"]


def test_a_write_of_unknown_outcome_is_sent_once(driver: Any) -> None:
    """Without a reconciler, a write that may have happened is reported as one that may have."""
    bench = Bench(**RETRY)
    got, transport = bench.call(driver, [TimeoutError("gone"), "never"])
    assert len(transport.calls) == 1
    assert (failure_of(got).executed, failure_of(got).category) == ("maybe", "retryable")


def test_an_idempotent_call_of_unknown_outcome_is_sent_again(driver: Any) -> None:
    """An idempotent call may be sent twice."""
    bench = Bench(**RETRY)
    assert bench.call(driver, [TimeoutError(), "fine"], idempotent=True)[0] == "fine"


def test_an_unknown_outcome_is_not_cleared_by_a_later_rejection(driver: Any) -> None:
    """`executed` is the call's: after a `maybe`, a `no` of a later attempt leaves it `maybe`."""
    bench = Bench(**RETRY)
    got, _ = bench.call(driver, [TimeoutError(), StatusError(429), StatusError(429)], idempotent=True)
    assert (failure_of(got).http_status, failure_of(got).executed) == (429, "maybe")


def test_unknown_errors_are_capped_and_reported(driver: Any) -> None:
    """An error of an unknown code is retried once, and its code is reported once."""
    bench = Bench(**RETRY)
    unknown = [type("OddError", (Exception,), {"code": 98765})() for _ in range(3)]
    got, transport = bench.call(driver, list(unknown), idempotent=True)
    assert got is unknown[1]
    assert len(transport.calls) == 2
    assert bench.event_names.count("code_unknown") == 1


def test_the_budget_ends_retries(driver: Any) -> None:
    """When the budget is exhausted, a failure is final at once."""
    bench = Bench(**RETRY, budget={"ratio": 0, "floor": "0.1/s"})
    bench.call(driver, [StatusError(429), "fine"])
    got, transport = bench.call(driver, [StatusError(429), "never"])
    assert isinstance(got, StatusError)
    assert len(transport.calls) == 1
    assert bench.event_names[-3:] == ["attempt_failed", "budget_exhausted", "call_failed"]


def test_a_wait_that_does_not_fit_the_deadline_is_not_begun(driver: Any) -> None:
    """A delay that would end after the deadline is not slept."""
    bench = Bench(**RETRY, deadline="1500ms")
    got, transport = bench.call(driver, [StatusError(429)] * 3)
    assert isinstance(got, StatusError)
    assert (len(transport.calls), bench.clock.sleeps) == (2, [1.0])


def test_an_open_breaker_rejects(driver: Any) -> None:
    """Rejected calls send nothing, say when to try again, and emit `call_rejected`."""
    bench = Bench(breaker={"consecutive": 1, "open_for": "5s"})
    bench.call(driver, [ConnectionRefusedError()])
    got, transport = bench.call(driver, ["never"])
    assert isinstance(got, CircuitOpenError)
    assert isinstance(got, RejectedError)
    assert (got.retry_after, got.retry_at, got.policy, got.operation) == (5.0, bench.clock.time() + 5, "p", "op")
    assert transport.calls == []
    assert (failure_of(got).executed, failure_of(got).attempts) == ("no", 0)
    assert bench.event_names == ["circuit_opened", "attempt_failed", "call_failed", "call_rejected"]
    bench.clock.advance(5.1)
    assert bench.call(driver, ["fine"])[0] == "fine"
    assert bench.event_names[-2:] == ["circuit_half_opened", "circuit_closed"]


def test_a_retry_may_wait_for_the_breaker(driver: Any) -> None:
    """Where the policy says so, a retry waits for the breaker within the deadline."""
    bench = Bench(**RETRY, deadline="60s", breaker={"consecutive": 1, "open_for": "5s", "when_open": "wait_retries"})
    assert bench.call(driver, [ConnectionRefusedError(), "fine"])[0] == "fine"
    assert bench.clock.sleeps == [5.0]


def test_a_nested_call_inherits_the_deadline(driver: Any) -> None:
    """It is rejected when the outer deadline has passed."""
    bench = Bench(deadline="10s")
    left: list[Any] = []

    def inside() -> None:
        call = current_call()
        assert call is not None
        left.append(call.deadline)

    inner = bench.policies.resilient("p")(driver.function(inside))

    def outside(seconds: float) -> Any:
        bench.clock.advance(seconds)
        return inner

    def body(seconds: float) -> Any:
        return outside(seconds)()

    async def abody(seconds: float) -> Any:
        return await outside(seconds)()

    outer = bench.policies.resilient("p")(body if driver.kind == "sync" else abody)
    driver.call(outer, 4.0)
    assert left == [6.0]
    with pytest.raises(DeadlineExceededError):
        driver.call(outer, 11.0)
    assert len(left) == 1


def test_a_transport_knows_its_call(driver: Any) -> None:
    """`current_call` has operation, attempt, key and remaining time inside an attempt, and is None outside."""
    bench = Bench(**RETRY, deadline="60s", attempt_timeout="5s")
    seen: list[Any] = []

    def send(*, client_id: str) -> str:
        call = current_call()
        assert call is not None
        seen.append((call.operation, call.attempt, call.key, call.timeout, call.deadline))
        if len(seen) == 1:
            raise ConnectionRefusedError
        return client_id

    fn = bench.policies.resilient("p", operation="op", key="client_id")(driver.function(send))
    key = driver.call(fn)
    assert len(key) == 32
    assert seen == [("op", 1, key, 5.0, 60.0), ("op", 2, key, 5.0, 59.0)]
    assert driver.call(fn, client_id="mine") == "mine"
    assert current_call() is None


def test_a_custom_stage(driver: Any) -> None:
    """It runs before and after each attempt; where it rejects a retry, the rejection is the cause of the error."""

    class Count(Stage):
        """Logs the attempts, and rejects the third one."""

        def __init__(self) -> None:
            self.log: list[Any] = []

        def before(self, call: Any) -> None:
            if call.attempt == 3:
                raise RejectedError("enough")
            self.log.append(call.attempt)

        def settle(self, call: Any, error: BaseException | None) -> None:
            self.log.append(type(error).__name__)

    count, transport = Count(), driver.transport([ConnectionRefusedError(), ConnectionRefusedError(), "never"])
    policy = Policy(retry={"max_attempts": 3, "backoff": PLAIN})  # type: ignore[arg-type]
    with pytest.raises(ConnectionRefusedError) as caught:
        driver.call(Pipeline(policy, stages=[count], clock=FakeClock()).compile(transport))
    assert str(caught.value.__cause__) == "enough"
    assert count.log == [1, "ConnectionRefusedError", 2, "ConnectionRefusedError"]
    assert len(transport.calls) == 2


def test_a_listener_that_raises_is_dropped(driver: Any) -> None:
    """It changes no outcome and gets no further event."""
    bench, received = Bench(**RETRY), []

    def broken(event: Any) -> None:
        received.append(event.name)
        raise RuntimeError("listener")

    bench.policies.subscribe(broken)
    assert bench.call(driver, [ConnectionRefusedError(), "fine"])[0] == "fine"
    assert received == ["attempt_failed"]
    assert bench.event_names == ["attempt_failed", "call_recovered"]


def test_notes_do_not_accumulate(driver: Any) -> None:
    """A shared error instance has one note of ours, the newest."""
    bench, shared = Bench(), StatusError(404)
    shared.add_note("the user's own")
    for _ in range(3):
        bench.call(driver, [shared])
    assert [note.partition(":")[0] for note in shared.__notes__] == ["the user's own", "resilience"]


def test_no_delay_no_sleep(driver: Any) -> None:
    """A delay of 0 does not call sleep."""
    bench = Bench(retry={"max_attempts": 2, "backoff": {"initial": 0}})
    assert bench.call(driver, [ConnectionRefusedError(), "fine"])[0] == "fine"
    assert bench.clock.sleeps == []
