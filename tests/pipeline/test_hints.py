"""Tests of the hints of code rules: sign anew, look up, or try again a little later, once per call."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Pipeline, Policy, failure_of
from resilience._core.call.operation_info import OperationInfo
from resilience.testing import FakeClock

POLICY = Policy(
    codes=("bitget", "http"), deadline="90s", retry={"max_attempts": 4, "backoff": {"initial": 1, "jitter": "none"}}
)


class AnsweredError(Exception):
    """An answer in Bitget's envelope."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.body = {"code": code, "msg": "m", "requestTime": 1_700_000_000_000}
        self.status_code = 400


def run(driver: Any, script: list[Any], **info: Any) -> tuple[Any, FakeClock, Any]:
    """Call a scripted transport; return the result or the error, the clock, and the transport."""
    clock, send = FakeClock(), driver.transport(script)
    pipeline = Pipeline(POLICY, clock=clock)
    call = pipeline.compile(send, OperationInfo(operation="op", **info))
    try:
        return driver.call(call), clock, send
    except AnsweredError as error:
        return error, clock, send


def lookups(driver: Any, *answers: Any) -> Any:
    """Return a reconciler that returns these answers in turn."""
    remaining = list(answers)

    def lookup(_call: object) -> Any:
        answer = remaining.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return driver.function(lookup)


def test_a_rejected_stamp_is_signed_anew_at_once_and_once(driver: Any) -> None:
    """The first 40008 is retried without a delay; the second one like any other failure."""
    result, clock, _ = run(driver, [AnsweredError("40008"), "done"], can_resync_clock=True)
    assert (result, clock.sleeps) == ("done", [])
    result, clock, _ = run(driver, [AnsweredError("40008"), AnsweredError("40008"), "done"], can_resync_clock=True)
    assert (result, clock.sleeps) == ("done", [2.0])


def test_without_a_clock_to_resync_a_rejected_stamp_waits(driver: Any) -> None:
    """A stamp of the same clock would be rejected again at once."""
    result, clock, _ = run(driver, [AnsweredError("40008"), "done"])
    assert (result, clock.sleeps) == ("done", [1.0])


@pytest.mark.parametrize("status", ["cancelled", "filled"])
def test_a_cancel_that_finds_no_order_reports_the_orders_end(driver: Any, status: str) -> None:
    """After 22001 the order is looked up: the caller learns whether it was cancelled or filled."""
    lookup = lookups(driver, Found({"status": status}))
    result, _, send = run(driver, [AnsweredError("22001")], idempotent=True, reconcile=lookup)
    assert (result, len(send.calls)) == ({"status": status}, 1)


def test_a_cancel_of_unknown_outcome_is_sent_again_and_then_looked_up(driver: Any) -> None:
    """The first cancel was executed and its answer lost: the second one finds no order, and the lookup settles it."""
    lookup = lookups(driver, Found({"status": "cancelled"}))
    script = [TimeoutError(), AnsweredError("43001")]
    result, _, send = run(driver, script, idempotent=True, reconcile=lookup)
    assert (result, len(send.calls)) == ({"status": "cancelled"}, 2)


def test_a_cancel_that_comes_too_early_is_sent_once_more(driver: Any) -> None:
    """After 43001 for an order that is not visible yet: look up, wait for the visibility lag, cancel again."""
    lookup = lookups(driver, ConnectionResetError("not visible"))
    result, clock, _ = run(driver, [AnsweredError("43001"), "cancelled"], idempotent=True, reconcile=lookup)
    assert (result, clock.sleeps) == ("cancelled", [2.0])


def test_a_cancel_of_an_unknown_order_ends_with_the_apis_own_error(driver: Any) -> None:
    """After two cancels and a lookup the caller gets 43001 itself."""
    script = [AnsweredError("43001"), AnsweredError("43001")]
    lookup = lookups(driver, ConnectionResetError("not visible"))
    result, _, send = run(driver, script, idempotent=True, reconcile=lookup)
    assert isinstance(result, AnsweredError)
    assert (failure_of(result).code, failure_of(result).executed, len(send.calls)) == ("43001", "no", 2)


def test_a_cancel_that_ends_with_an_unknown_outcome_is_looked_up(driver: Any) -> None:
    """Four attempts without an answer: one lookup finds that the order is over."""
    lookup = lookups(driver, Found({"status": "cancelled"}))
    result, _, send = run(driver, [TimeoutError()] * 4, idempotent=True, reconcile=lookup)
    assert (result, len(send.calls)) == ({"status": "cancelled"}, 4)


def test_a_cancel_whose_order_still_rests_is_reported_as_unknown(driver: Any) -> None:
    """A cancel may still arrive: it is reported as unknown, not as failed."""
    clock = FakeClock()
    lookup = lookups(driver, NOT_FOUND)
    pipeline = Pipeline(POLICY, clock=clock)
    call = pipeline.compile(
        driver.transport([TimeoutError()] * 4), OperationInfo(operation="op", idempotent=True, reconcile=lookup)
    )
    with pytest.raises(TimeoutError) as caught:
        driver.call(call)
    assert failure_of(caught.value).executed == "maybe"


def test_a_read_that_comes_too_early_is_made_once_more(driver: Any) -> None:
    """A query that gets 40109 is repeated after the visibility lag; the second 40109 is final."""
    result, clock, _ = run(driver, [AnsweredError("40109"), "order"], read=True)
    assert (result, clock.sleeps) == ("order", [2.0])
    result, clock, send = run(driver, [AnsweredError("40109"), AnsweredError("40109")], read=True)
    assert (isinstance(result, AnsweredError), clock.sleeps, len(send.calls)) == (True, [2.0], 2)


def test_a_write_that_is_not_idempotent_takes_no_hint(driver: Any) -> None:
    """An order that gets "nothing to do" is not looked up: its key may be of another order."""
    lookup = lookups(driver)
    result, _, send = run(driver, [AnsweredError("22001")], reconcile=lookup)
    assert (isinstance(result, AnsweredError), len(send.calls)) == (True, 1)


def test_a_write_that_an_inner_call_has_given_up_is_looked_up_and_not_resent(driver: Any) -> None:
    """The inner pipeline has no reconciler; the outer one looks the write up. Retries do not multiply."""
    clock = FakeClock()
    send = driver.transport([TimeoutError()])
    inner = Pipeline(POLICY, clock=clock).compile(send)
    outer = Pipeline(POLICY, clock=clock)
    call = outer.compile(inner, OperationInfo(operation="op", reconcile=lookups(driver, Found("executed"))))
    assert (driver.call(call), len(send.calls)) == ("executed", 1)
