"""What a rule's hint asks for is done, once a call: sign anew, look, or ask again a little later."""

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
    """Call a scripted transport; return what came back or was raised, the clock, and the transport."""
    clock, send = FakeClock(), driver.transport(script)
    pipeline = Pipeline(POLICY, clock=clock)
    call = pipeline.compile(send, OperationInfo(operation="op", **info))
    try:
        return driver.call(call), clock, send
    except AnsweredError as error:
        return error, clock, send


def looks(driver: Any, *answers: Any) -> Any:
    """Return a reconciler that gives these answers in turn."""
    left = list(answers)

    def look(_call: object) -> Any:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return driver.function(look)


def test_a_refused_stamp_is_signed_anew_at_once_and_once(driver: Any) -> None:
    """40008 is tried again without a delay; the second one waits like any other failure."""
    result, clock, _ = run(driver, [AnsweredError("40008"), "done"], can_resync_clock=True)
    assert (result, clock.sleeps) == ("done", [])
    result, clock, _ = run(driver, [AnsweredError("40008"), AnsweredError("40008"), "done"], can_resync_clock=True)
    assert (result, clock.sleeps) == ("done", [2.0])


def test_without_a_client_that_measures_a_refused_stamp_waits(driver: Any) -> None:
    """Signing anew by the same clock would be refused again at once."""
    result, clock, _ = run(driver, [AnsweredError("40008"), "done"])
    assert (result, clock.sleeps) == ("done", [1.0])


@pytest.mark.parametrize("status", ["cancelled", "filled"])
def test_a_cancel_that_finds_nothing_reports_what_became_of_the_order(driver: Any, status: str) -> None:
    """22001 is looked up: the caller learns whether the order was cancelled or filled after all."""
    look = looks(driver, Found({"status": status}))
    result, _, send = run(driver, [AnsweredError("22001")], idempotent=True, reconcile=look)
    assert (result, len(send.calls)) == ({"status": status}, 1)


def test_a_cancel_in_doubt_is_sent_again_and_its_answer_looked_up(driver: Any) -> None:
    """The first cancel went through and its answer was lost: the second one finds nothing, the look finds out."""
    look = looks(driver, Found({"status": "cancelled"}))
    script = [TimeoutError(), AnsweredError("43001")]
    result, _, send = run(driver, script, idempotent=True, reconcile=look)
    assert (result, len(send.calls)) == ({"status": "cancelled"}, 2)


def test_a_cancel_that_comes_too_early_is_sent_once_more(driver: Any) -> None:
    """43001 with an order that is not visible yet: look, wait the visibility lag, cancel again."""
    look = looks(driver, LookupError("not visible"))
    result, clock, _ = run(driver, [AnsweredError("43001"), "cancelled"], idempotent=True, reconcile=look)
    assert (result, clock.sleeps) == ("cancelled", [2.0])


def test_a_cancel_of_an_unknown_order_ends_with_the_apis_own_error(driver: Any) -> None:
    """Asked twice and looked once, then the caller gets 43001 as it is."""
    script = [AnsweredError("43001"), AnsweredError("43001")]
    look = looks(driver, LookupError("not visible"))
    result, _, send = run(driver, script, idempotent=True, reconcile=look)
    assert isinstance(result, AnsweredError)
    assert (failure_of(result).code, failure_of(result).executed, len(send.calls)) == ("43001", "no", 2)


def test_a_cancel_in_doubt_at_its_end_is_looked_up(driver: Any) -> None:
    """Four attempts without an answer: one look tells that the order is over."""
    look = looks(driver, Found({"status": "cancelled"}))
    result, _, send = run(driver, [TimeoutError()] * 4, idempotent=True, reconcile=look)
    assert (result, len(send.calls)) == ({"status": "cancelled"}, 4)


def test_a_cancel_whose_order_still_rests_stays_in_doubt(driver: Any) -> None:
    """A cancel under way may still arrive: it is reported as unknown, not as failed."""
    clock = FakeClock()
    look = looks(driver, NOT_FOUND)
    pipeline = Pipeline(POLICY, clock=clock)
    call = pipeline.compile(
        driver.transport([TimeoutError()] * 4), OperationInfo(operation="op", idempotent=True, reconcile=look)
    )
    with pytest.raises(TimeoutError) as caught:
        driver.call(call)
    assert failure_of(caught.value).executed == "maybe"


def test_a_read_that_comes_too_early_is_made_once_more(driver: Any) -> None:
    """40109 on a query is asked again after the visibility lag, then believed."""
    result, clock, _ = run(driver, [AnsweredError("40109"), "order"], read=True)
    assert (result, clock.sleeps) == ("order", [2.0])
    result, clock, send = run(driver, [AnsweredError("40109"), AnsweredError("40109")], read=True)
    assert (isinstance(result, AnsweredError), clock.sleeps, len(send.calls)) == (True, [2.0], 2)


def test_a_write_that_must_not_be_repeated_takes_no_hint(driver: Any) -> None:
    """An order that is answered with "nothing to do" is not looked up by a key that may be a stranger's."""
    look = looks(driver)
    result, _, send = run(driver, [AnsweredError("22001")], reconcile=look)
    assert (isinstance(result, AnsweredError), len(send.calls)) == (True, 1)


def test_a_write_whose_inner_call_has_given_up_in_doubt_is_looked_up_and_not_resent(driver: Any) -> None:
    """The pipeline inside knows no reconciler; the one outside does, and looks. Retries do not multiply."""
    clock = FakeClock()
    send = driver.transport([TimeoutError()])
    inner = Pipeline(POLICY, clock=clock).compile(send)
    outer = Pipeline(POLICY, clock=clock)
    call = outer.compile(inner, OperationInfo(operation="op", reconcile=looks(driver, Found("executed"))))
    assert (driver.call(call), len(send.calls)) == ("executed", 1)
