"""Tests of a call from its first failure to its end, where the stories through the drivers do not lead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from resilience import (
    NOT_FOUND,
    CircuitOpenError,
    Found,
    Pipeline,
    Policy,
    failure_of,
)
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.send_log import SendLog
from resilience.testing import FakeClock

READ = OperationInfo(operation="read", read=True)


class Meanwhile(FakeClock):
    """A clock that runs a function during the first sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.then: Any = None

    def sleep(self, seconds: float) -> None:
        """Sleep, and let it happen."""
        super().sleep(seconds)
        then, self.then = self.then, None
        if then is not None:
            then()


def waiting(clock: Meanwhile, **breaker: Any) -> Pipeline:
    """Return a pipeline with one retry after a second."""
    backoff = {"kind": "constant", "initial": "1s", "jitter": "none"}
    policy = Policy(
        deadline="10s", retry={"max_attempts": 2, "backoff": backoff}, breaker={"open_for": "2s", **breaker}
    )  # type: ignore[arg-type]
    return Pipeline(policy, clock=clock)


def answers(*script: Any) -> Any:
    """Return a transport that raises or returns these."""
    rest = list(script)

    def send() -> Any:
        answer = rest.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return send


def test_a_breaker_that_opens_during_the_wait_ends_the_call() -> None:
    """The caller gets the API's own error; the rejection is its cause."""
    clock = Meanwhile()
    pipeline = waiting(clock)
    assert pipeline.breaker is not None
    clock.then = pipeline.breaker.open
    error = TimeoutError()
    with pytest.raises(TimeoutError) as caught:
        pipeline.compile(answers(error), READ)()
    assert caught.value is error
    assert isinstance(error.__cause__, CircuitOpenError)
    assert (error.__cause__.retry_after, clock.sleeps) == (2.0, [1.0])


def test_with_wait_the_call_waits_for_the_breaker_once_more() -> None:
    """It waits once more, inside its deadline."""
    clock = Meanwhile()
    pipeline = waiting(clock, when_open="wait_retries")
    assert pipeline.breaker is not None
    clock.then = pipeline.breaker.open
    assert pipeline.compile(answers(TimeoutError(), "fine"), READ)() == "fine"
    assert clock.sleeps == [1.0, 2.0]


@pytest.mark.parametrize("wait", [False, True])
def test_a_permit_that_another_call_holds(wait: bool) -> None:
    """A call that waits tries again after a moment; another one gives up."""
    clock = Meanwhile()
    pipeline = waiting(clock, when_open="wait_retries" if wait else "reject")
    breaker = pipeline.breaker
    assert breaker is not None
    permits: list[Any] = []

    def half_open() -> None:
        breaker.open()
        clock.advance(2)
        permits.append(breaker.admit(clock.monotonic()))
        clock.then = lambda: breaker.released(permits[0])

    clock.then = half_open
    call = pipeline.compile(answers(TimeoutError(), "fine"), READ)
    if wait:
        assert call() == "fine"
        assert clock.sleeps == [1.0, pytest.approx(0.1)]
        return
    with pytest.raises(TimeoutError) as caught:
        call()
    assert isinstance(caught.value.__cause__, CircuitOpenError)


def test_an_existing_cause_stays() -> None:
    """A rejection does not replace the cause of the API's error."""
    clock = Meanwhile()
    pipeline = waiting(clock)
    assert pipeline.breaker is not None
    clock.then = pipeline.breaker.open
    error, cause = TimeoutError(), OSError()
    error.__cause__ = cause
    with pytest.raises(TimeoutError):
        pipeline.compile(answers(error), READ)()
    assert error.__cause__ is cause


@dataclass(frozen=True)
class Frozen(TimeoutError):
    """An error that takes no attributes."""

    code: int = 1


def test_an_error_that_takes_no_cause_is_raised_unchanged() -> None:
    """The caller gets the same error."""
    clock = Meanwhile()
    pipeline = waiting(clock)
    assert pipeline.breaker is not None
    clock.then = pipeline.breaker.open
    with pytest.raises(Frozen) as caught:
        pipeline.compile(answers(Frozen()), READ)()
    assert caught.value.__cause__ is None


class Gone(Exception):
    """The API's answer that there is no such order, or no longer."""

    def __init__(self) -> None:
        super().__init__("gone")
        self.body = {"code": "43001", "msg": "order does not exist"}


@pytest.mark.parametrize(
    ("answer", "ends"), [(Found("cancelled"), "cancelled"), (NOT_FOUND, Gone), ("odd", Gone), (OSError(), Gone)]
)
def test_a_cancel_that_finds_nothing_looks_up_the_order(answer: Any, ends: Any) -> None:
    """The mistake in the lookup's answer is the cause of the API's own error."""

    def lookup(_call: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    info = OperationInfo(operation="cancel", idempotent=True, registry="bitget", reconcile=lookup)
    call = Pipeline(Policy(codes=("bitget", "http"), deadline="10s"), clock=FakeClock()).compile(answers(Gone()), info)
    if isinstance(ends, str):
        assert call() == ends
        return
    with pytest.raises(ends) as caught:
        call()
    if answer == "odd":
        assert str(caught.value.__cause__) == "reconcile must return Found(...) or NOT_FOUND, not str"
    else:
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("odd", "reconcile must return Found(...) or NOT_FOUND, not str"),
        (NOT_FOUND(1_700_000_000_000), "reconcile must return server_time and created_at as Unix seconds"),
    ],
)
def test_a_lookup_that_answers_nonsense_leaves_the_call_uncertain(answer: Any, message: str) -> None:
    """The cause of the error says what is wrong with the answer."""
    info = OperationInfo(operation="order", reconcile=lambda _call: answer)
    call = Pipeline(Policy(retry={}, deadline="90s", reconcile={}), clock=FakeClock()).compile(
        answers(TimeoutError()), info
    )  # type: ignore[arg-type]
    with pytest.raises(TimeoutError) as caught:
        call()
    assert (str(caught.value.__cause__), failure_of(caught.value).executed) == (message, "maybe")


class Bad:
    """An answer that is a failure and that the caller gets back."""

    status_code = 503


def test_an_answer_that_is_a_failure_is_returned_at_the_end() -> None:
    """It can have neither a cause nor a note."""
    clock = Meanwhile()
    pipeline = waiting(clock)
    assert pipeline.breaker is not None
    clock.then = pipeline.breaker.open
    bad = Bad()
    info = OperationInfo(operation="read", read=True, is_error_response=lambda answer: answer.status_code == 503)
    assert pipeline.compile(answers(bad), info)() is bad
    assert failure_of(bad).attempts == 1  # type: ignore[arg-type]


class Hasty(FakeClock):
    """A clock whose sleeps return at once and advance nothing, as in tests that skip waits."""

    def sleep(self, seconds: float) -> None:
        """Note it."""
        self.sleeps.append(seconds)


@pytest.mark.parametrize("gates", [{}, {"quota": [{"rate": 100, "burst": 100}]}])
def test_waits_that_are_cut_short_count_in_full(gates: Any) -> None:
    """The deadline comes as if the waits had been full, with a gate too."""
    clock = Hasty()
    backoff = {"kind": "constant", "initial": "4s", "jitter": "none"}
    policy = Policy(deadline="10s", retry={"max_attempts": 9, "backoff": backoff}, **gates)  # type: ignore[arg-type]
    with pytest.raises(TimeoutError) as caught:
        Pipeline(policy, clock=clock).compile(answers(*[TimeoutError() for _ in range(9)]), READ)()
    assert (clock.sleeps, failure_of(caught.value).attempts) == ([4.0, 4.0], 3)


class Poor(Exception):
    """A rejection for insufficient funds."""

    def __init__(self) -> None:
        super().__init__("poor")
        self.body = {"code": "43012", "msg": "insufficient balance", "requestTime": 1_700_000_000_000}


@pytest.mark.parametrize(
    ("last", "executed"),
    [(NOT_FOUND, "no"), (Found(1, matches=False), "maybe"), (Found("ours"), None), (OSError(), "no")],
)
def test_a_later_rejection_after_an_uncertain_attempt_needs_a_lookup(last: Any, executed: str | None) -> None:
    """The first attempt was not executed and the second rejected; if the key is another order's, it is unknown."""
    seen: list[Any] = []

    def lookup(call: Any) -> Any:
        seen.append(call.attempt)
        if call.attempt == 1:
            return NOT_FOUND
        if isinstance(last, Exception):
            raise last
        return last

    policy = Policy(codes=("bitget", "http"), deadline="300s", retry={"max_attempts": 3}, reconcile={"fence": "5s"})  # type: ignore[arg-type]
    info = OperationInfo(operation="order", registry="bitget", reconcile=lookup)
    call = Pipeline(policy, clock=FakeClock()).compile(answers(TimeoutError(), Poor()), info)
    if executed is None:
        assert call() == "ours"
        return
    with pytest.raises(Poor) as caught:
        call()
    assert failure_of(caught.value).executed == executed
    assert (seen[0], seen[-1]) == (1, 2)


def stamped(time: float) -> SendLog:
    """A log with one stamp."""
    log = SendLog()
    log.append(time)
    return log


def test_a_last_lookup_that_proves_it_not_executed_is_the_end() -> None:
    """The deadline is too near for another attempt: the failure says that it was not executed."""
    clock, lookups = FakeClock(), list[float]()

    def lookup(_call: Any) -> Any:
        lookups.append(clock.monotonic())
        return NOT_FOUND if len(lookups) == 1 else NOT_FOUND(clock.time() - lookups[-1] + 36)

    rules: dict[str, Any] = {"deadline": 10, "reconcile": {"early_checks": 1, "wait": 1}, "retry": {"max_attempts": 3}}
    info = OperationInfo(operation="order", reconcile=lookup, new_stamps=lambda: stamped(clock.time()))
    with pytest.raises(TimeoutError) as caught:
        Pipeline(Policy(**rules), clock=clock).compile(answers(TimeoutError(), "sent twice"), info)()
    assert (lookups, failure_of(caught.value).executed, failure_of(caught.value).attempts) == ([1.0, 9.5], "no", 1)


class ApiError(Exception):
    """An error of an API's client."""

    code = ""


@pytest.mark.parametrize(("info", "attempts"), [(READ, 2), (OperationInfo(operation="place"), 1)])
def test_what_may_be_invisible_yet_is_read_once_more(info: OperationInfo, attempts: int) -> None:
    """The hint `requery_once` repeats a read that found nothing; a write that was refused is not sent again for it."""
    pipeline = Pipeline(
        Policy(deadline="10s", retry={"max_attempts": 3}, codes=["binance"]), clock=FakeClock(), log=False
    )
    error = ApiError("no such order")
    error.code = "-2013"
    sent: list[object] = []

    def send() -> None:
        sent.append(error)
        raise error

    with pytest.raises(ApiError):
        pipeline.compile(send, info)()
    assert len(sent) == attempts
