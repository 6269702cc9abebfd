"""Tests of a failed call, step by step: its events, what the breaker counts, and what is released."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from resilience import NOT_FOUND, CircuitOpenError, Found, Pipeline, Policies, Policy, QuotaExceededError, failure_of
from resilience._core.call.context import CallContext
from resilience._core.call.open_writes import OPEN_WRITES, OpenWriteHandle
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.recovery import Recovery
from resilience._core.call.rejection import record_unsent
from resilience._core.call.send_log import SendLog
from resilience._core.call.steps import Action, FailedCall
from resilience._core.classify.attach import attached_failure
from resilience.testing import FakeClock

RETRY: dict[str, Any] = {"max_attempts": 3, "backoff": {"kind": "constant", "initial": 2, "jitter": "none"}}


class Limited(Exception):
    """An answer with the status 429 alone."""

    http_status = 429


class Failed:
    """A call whose first attempt is running, driven by the test."""

    def __init__(self, policy: dict[str, Any] | None = None, stamps: list[float] | None = None, **info: Any) -> None:
        self.clock = FakeClock(start=100.0)
        self.events: list[Any] = []
        rules = Policy(name="p", **{"retry": RETRY, **(policy or {})})
        pipeline = Pipeline(rules, clock=self.clock, listeners=[self.events.append])
        self.plan = pipeline.plan(len, OperationInfo(operation="op", **info))
        self.call = FailedCall("op", (), {}, None)
        self.breaker: Any = self.plan.breaker
        permit = None if self.breaker is None else self.breaker.admit(100.0)
        log = None if stamps is None else SendLog()
        if log is not None:
            log.extend(stamps or ())
        self.log = log
        context = CallContext(self.plan, 160.0, 160.0, None, log)
        self.recovery = Recovery(self.plan, self.call, context, list(context), permit, 100.0, None)

    @property
    def event_names(self) -> list[str]:
        """Return the names of the events so far."""
        return [event.name for event in self.events]

    def again(self) -> None:
        """Wait and begin the next attempt."""
        self.clock.advance(2)
        assert self.recovery.after_wait().action is Action.SEND
        assert self.recovery.begin_attempt(self.recovery.new_gate()) is not None


def test_a_wait_that_took_longer() -> None:
    """The call's time is never behind the clock."""
    failed = Failed(read=True)
    failed.recovery.on_failure(TimeoutError())
    failed.clock.advance(10)
    failed.recovery.after_wait()
    assert (failed.recovery.now(), failed.recovery.seconds_left()) == (110.0, 50.0)


def test_a_gate_is_made_only_where_it_is_needed() -> None:
    """Its rejection is dropped at the end."""
    assert Failed().recovery.new_gate() is None
    failed = Failed({"quota": [{"rate": 1, "burst": 1}]})
    failed.recovery.on_failure(ConnectionRefusedError())
    failed.clock.advance(2)
    failed.recovery.after_wait()
    assert failed.recovery.new_gate() is None  # it has paid at once
    new_gate = failed.recovery.new_gate()
    assert new_gate is not None
    new_gate.rejection = CircuitOpenError("open")
    assert failed.recovery.begin_attempt(new_gate) is None
    assert failed.recovery._gate_rejection is new_gate.rejection
    failed.recovery.close()
    assert failed.recovery._gate_rejection is None


def test_a_quota_that_allows_it_is_no_reason_to_give_up() -> None:
    """The deadline is the reason: the error gets no cause."""
    failed = Failed({"quota": [{"rate": 1, "burst": 1}]}, read=True)
    failed.clock.advance(59)
    error = TimeoutError()
    assert failed.recovery.on_failure(error) == (Action.RAISE, error)
    assert error.__cause__ is None


def test_an_idempotent_write_is_sent_again_without_a_lookup() -> None:
    """Its goal is looked up only if the API says that the object is gone."""
    failed = Failed(idempotent=True, reconcile=len)
    assert failed.recovery.on_failure(ConnectionRefusedError()).action is Action.WAIT
    assert failed.recovery._after_wait is Action.SEND


@pytest.mark.parametrize(("deadline", "last"), [(10, 9.5), (100, 99.0)])
def test_the_last_lookup_comes_shortly_before_the_deadline(deadline: float, last: float) -> None:
    """The last lookup is a twentieth of the deadline, at most a second, before it."""
    clock, lookups = FakeClock(), list[float]()

    def lookup(_call: Any) -> Any:
        lookups.append(clock.monotonic())
        return NOT_FOUND

    rules: dict[str, Any] = {"deadline": deadline, "reconcile": {"early_checks": 1, "wait": 1, "fence": 3600}}
    info = OperationInfo(operation="order", reconcile=lookup)
    with pytest.raises(TimeoutError):
        Pipeline(Policy(retry=RETRY, **rules), clock=clock).compile(_late, info)()
    assert lookups == [1.0, last]


def _late() -> None:
    raise TimeoutError


@pytest.mark.parametrize(
    ("errors", "begins", "executed"),
    [
        ([], False, "maybe"),
        ([ConnectionRefusedError()], False, "no"),
        ([ConnectionRefusedError()], True, "maybe"),
        ([ConnectionRefusedError(), ConnectionRefusedError()], False, "no"),
    ],
)
def test_a_write_that_is_cancelled_is_emitted(errors: list[Any], begins: bool, executed: str) -> None:
    """`call_abandoned` is emitted once, uncertain while an attempt is running, else as uncertain as its attempts."""
    failed = Failed()
    for number, error in enumerate(errors):
        if number:
            failed.again()
        assert failed.recovery.on_failure(error).action is Action.WAIT
    if begins:
        failed.again()
    failed.recovery.abandon(KeyboardInterrupt())
    failed.recovery.abandon(KeyboardInterrupt())
    assert (failed.event_names[-1], failed.event_names.count("call_abandoned")) == ("call_abandoned", 1)
    assert failed.events[-1].executed == executed


def test_a_cancelled_call_stays_uncertain() -> None:
    """A write without a reconciler whose attempt may have been executed stays uncertain."""
    failed = Failed()
    assert failed.recovery.on_failure(TimeoutError()).action is Action.RAISE
    failed.recovery.abandon(KeyboardInterrupt())
    assert "call_abandoned" not in failed.event_names
    reconciled = Failed({"reconcile": {}}, reconcile=len)
    assert reconciled.recovery.on_failure(TimeoutError()).action is Action.WAIT
    reconciled.recovery.abandon(KeyboardInterrupt())
    assert (reconciled.event_names[-1], reconciled.events[-1].executed) == ("call_abandoned", "maybe")


@pytest.mark.parametrize("info", [{"read": True}, {"idempotent": True}])
def test_a_cancelled_idempotent_call_emits_nothing(info: Any) -> None:
    """It needs no lookup."""
    failed = Failed(**info)
    failed.recovery.on_failure(TimeoutError())
    failed.recovery.abandon(KeyboardInterrupt())
    assert "call_abandoned" not in failed.event_names


def test_events_of_a_failed_call() -> None:
    """They have the attempt's number, the seconds waited, the failure and the error's class."""
    failed = Failed(read=True)
    failed.recovery.on_failure(TimeoutError())
    failed.again()
    failed.recovery.on_failure(OSError())
    failed.again()
    failed.recovery.on_success()
    failed.recovery.abandon(KeyboardInterrupt())
    assert [(event.name, event.attempt, event.waited_so_far, event.wait_for) for event in failed.events] == [
        ("attempt_failed", 1, 0.0, 2.0), ("attempt_failed", 2, 2.0, 2.0), ("call_recovered", 3, 4.0, None),
    ]  # fmt: skip
    first = failed.events[0]
    assert (first.category, first.code, first.executed, first.caused_by, first.policy) == (
        "retryable", "timeout", "n_a", "TimeoutError", "p",
    )  # fmt: skip


class Unknown(Exception):
    """An error without a rule, with a code or without."""

    def __init__(self, code: str | None = None) -> None:
        super().__init__("unknown")
        if code is not None:
            self.body = {"code": code}


def test_an_unknown_code_is_emitted_once() -> None:
    """A known code and an error without a code emit no `code_unknown`."""
    failed = Failed(read=True)
    failed.recovery.on_failure(Unknown("77777"))
    failed.again()
    failed.recovery.on_failure(Unknown("77777"))
    assert failed.event_names.count("code_unknown") == 1
    for error in (Unknown(), TimeoutError()):
        other = Failed(read=True)
        other.recovery.on_failure(error)
        assert "code_unknown" not in other.event_names


def test_a_discarded_answer_is_passed_to_the_driver_once() -> None:
    """The driver closes it; errors and the answer that the caller gets are not discarded."""
    bad = object()
    failed = Failed(read=True, is_error_response=lambda answer: True, discard=lambda answer: None)
    failed.recovery.on_failure(bad)
    assert (failed.recovery.take_discarded_answer(), failed.recovery.take_discarded_answer()) == (bad, None)
    failed.again()
    failed.recovery.on_failure(TimeoutError())
    assert failed.recovery.take_discarded_answer() is None
    failed.again()
    step = failed.recovery.on_failure(bad)
    assert (step.action, step.value, failed.recovery.take_discarded_answer()) == (Action.RETURN, bad, None)
    failed = Failed(read=True, is_error_response=lambda answer: True)
    failed.recovery.on_failure(bad)
    assert failed.recovery.take_discarded_answer() is None


def test_every_attempt_is_settled_and_the_breakers_events_are_emitted_at_once() -> None:
    """A failure opens the breaker, a trial succeeds, and a trial is cancelled."""
    rules = {"breaker": {"consecutive": 1, "failure_rate": None, "open_for": 1}}
    failed = Failed(rules, read=True)
    failed.recovery.on_failure(TimeoutError())
    assert failed.event_names[:2] == ["circuit_opened", "attempt_failed"]
    failed.again()
    assert failed.event_names[-1] == "circuit_half_opened"
    assert failed.breaker.admit(102.0) is None
    failed.recovery.on_success()
    assert failed.event_names[-2:] == ["circuit_closed", "call_recovered"]
    other = Failed(rules, read=True)
    other.recovery.on_failure(TimeoutError())
    other.again()
    other.recovery.abandon(KeyboardInterrupt())
    assert other.breaker.admit(102.0) is not None


def test_a_cancelled_first_attempt_releases_its_permit() -> None:
    """The permit is released once."""
    failed = Failed({"breaker": {"open_for": 1}})
    failed.breaker.open()
    failed.clock.advance(2)
    permit = failed.breaker.admit(102.0)
    context = CallContext(failed.plan, 160.0, 160.0, None, None)  # type: ignore[arg-type]
    recovery = Recovery(failed.plan, failed.call, context, list(context), permit, 102.0, None)
    assert failed.breaker.admit(102.0) is None
    recovery.abandon(KeyboardInterrupt())
    assert failed.breaker.admit(102.0) is not None
    recovery.abandon(KeyboardInterrupt())
    assert failed.breaker.admit(102.0) is None


def test_a_rejection_inside_a_later_attempt_leaves_the_apis_error_to_the_caller() -> None:
    """The rejection is the cause of the API's error, nothing of it was sent, and the permit is released."""
    failed = Failed({"breaker": {"consecutive": 1, "failure_rate": None, "open_for": 1}})
    error, rejection = ConnectionRefusedError(), CircuitOpenError("inside")
    failed.recovery.on_failure(error)
    failed.again()
    end = failed.recovery.on_failure(rejection)
    assert (end.action, end.value, error.__cause__) == (Action.RAISE, error, rejection)
    assert failed.breaker.admit(102.0) is not None
    assert (failed.events[-1].name, failed.events[-1].executed) == ("call_failed", "no")
    first = Failed().recovery.on_failure(rejection)
    assert (first.action, first.value) == (Action.RAISE, rejection)


def test_a_rejected_stamp_is_no_failure_of_the_service() -> None:
    """The client's clock is wrong, so the breaker counts nothing."""
    failed = Failed({"codes": ("bitget", "http"), "breaker": {"consecutive": 1, "failure_rate": None}}, read=True)
    failed.recovery.on_failure(Unknown("40008"))
    assert (failed.breaker.state, failed.event_names[0]) == ("closed", "attempt_failed")


def test_a_lookup_that_finds_the_write_is_emitted() -> None:
    """`call_reconciled` is emitted, and a later cancellation changes nothing."""
    failed = Failed({"reconcile": {}}, reconcile=len)
    failed.recovery.on_failure(TimeoutError())
    failed.clock.advance(1)
    assert failed.recovery.after_wait().action is Action.LOOK_UP
    step = failed.recovery.on_lookup(Found("done"), 101.0)
    failed.recovery.abandon(KeyboardInterrupt())
    assert (step, failed.event_names[-1]) == ((Action.RETURN, "done"), "call_reconciled")


@pytest.mark.parametrize(
    ("stamps", "info", "executed", "sent_at"),
    [
        ([], {"signs": True}, "no", 1_700_000_000.0),
        ([7.0], {"signs": True}, "maybe", 7.0),
        ([], {}, "maybe", 1_700_000_000.0),
        (None, {"signs": True}, "maybe", 1_700_000_000.0),
        ([7.0, 5.0, 9.0], {}, "maybe", 7.0),
        ([7.0, 5.0, 9.0], {"resumed": True}, "maybe", 5.0),
    ],
)
def test_the_stamp_of_an_attempt(stamps: Any, info: Any, executed: str, sent_at: float) -> None:
    """A signing client that reported no stamp has sent nothing; for other clients our clock is used."""
    failed = Failed({"retry": None}, stamps, **info)
    failed.clock.advance(3)
    failed.recovery.on_failure(TimeoutError())
    assert failed.call.failure is not None
    assert (failed.call.failure.executed, failed.call.sent_at) == (executed, sent_at)


def test_only_stamps_of_the_attempt_itself_are_fresh() -> None:
    """The second attempt reported no stamp, so it was not sent; the first one stays uncertain."""
    stamps: list[float] = []
    failed = Failed({"reconcile": {"fence": 1}}, stamps, signs=True, reconcile=len)
    failed.recovery.on_failure(TimeoutError())
    assert failed.recovery._history.uncertain_write is None
    failed.again()
    assert failed.log is not None
    failed.log.append(9.0)
    failed.recovery.on_failure(TimeoutError())
    uncertain_write = failed.recovery._history.uncertain_write
    assert uncertain_write is not None
    assert uncertain_write.is_open
    assert [attempt.server_limit for attempt in uncertain_write._open] == [9.0 + 35.0]


@pytest.mark.parametrize(("resumed", "begun"), [(False, 100.0), (True, None)])
def test_a_write_that_another_process_began_has_no_beginning_here(resumed: bool, begun: float | None) -> None:
    """Its clock was another one: only the stamp is known."""
    failed = Failed({"reconcile": {}}, reconcile=len, resumed=resumed)
    failed.recovery.on_failure(TimeoutError())
    uncertain_write = failed.recovery._history.uncertain_write
    assert uncertain_write is not None
    assert uncertain_write._began == begun


def test_no_error_stays_alive() -> None:
    """No cycle keeps a traceback alive."""
    failed = Failed({"retry": {**RETRY, "max_attempts": 2}})
    failed.recovery.on_failure(ConnectionRefusedError())
    failed.again()
    failed.recovery.on_failure(CircuitOpenError("inside"))
    failed.recovery.close()
    history = failed.recovery._history
    assert (history.outcome, history.rejection, failed.call.failure) == (None, None, None)


def test_an_error_before_the_first_attempt_is_no_cancellation() -> None:
    """It gets no record of one."""
    error = ValueError()
    record_unsent(Failed().plan, None, error, None)
    assert attached_failure(error) is None


def test_an_order_that_a_stream_reports_before_the_resend() -> None:
    """Lookups had cleared it: it is looked up again, not sent again, and never reported as not executed."""
    for found, expected in ((Found("mine"), Action.RETURN), (NOT_FOUND, Action.WAIT)):
        failed = Failed({"reconcile": {"fence": 1}, "deadline": 60}, reconcile=len)
        recovery = failed.recovery
        recovery.on_failure(TimeoutError())
        failed.clock.advance(5)
        assert recovery.on_lookup(NOT_FOUND, recovery.now())[0] is Action.SEND
        recovery.lookups.open_write = OpenWriteHandle(OPEN_WRITES, "mine", None)
        recovery.lookups.open_write.reported = {"orderId": "1"}
        assert recovery.begin_attempt(None) is None
        assert recovery.on_rejection()[0] is Action.LOOK_UP
        assert recovery.on_lookup(found, recovery.now())[0] is expected
        assert recovery._history.maybe_executed


def test_control_flow_after_the_end_of_a_call() -> None:
    """Nothing is recorded twice."""
    failed = Failed(idempotent=True)
    failed.recovery._history.pass_through(ValueError())
    failed.recovery._history.pass_through(ValueError())
    assert failed.event_names == []


def test_only_the_wait_for_a_lookup_is_ended_by_reports() -> None:
    """Before that, and where the call has no key, there is nothing that a stream could report."""
    failed = Failed(reconcile=len)
    assert failed.recovery.watch_reports() is None
    failed.recovery.on_failure(TimeoutError())
    assert failed.recovery._after_wait is Action.LOOK_UP
    assert failed.recovery.watch_reports() is None
    failed.call.key = "mine"
    write = failed.recovery.watch_reports()
    assert write is not None
    assert failed.recovery.watch_reports() is write
    failed.recovery.close()
    assert failed.recovery.lookups.open_write is None


def test_a_read_that_finds_nothing_yet_is_repeated_after_the_lag() -> None:
    """An order may be invisible for that long after it was accepted."""
    failed = Failed(read=True, registry="bitget")
    error: Any = TimeoutError()
    error.code = "43001"
    step = failed.recovery.on_failure(error)
    assert (step.action, step.value) == (Action.WAIT, failed.plan.fence.lag)


class SharedLog(SendLog):
    """The log of a write that others may send too: it says whether this call may report that it was not executed."""

    def __init__(self, *, may_report: bool) -> None:
        super().__init__()
        self._may_report = may_report
        self.asked: list[bool] = []

    def record_not_executed(self, *, duplicate: bool) -> bool:
        self.asked.append(duplicate)
        return self._may_report


@pytest.mark.parametrize("may_report", [True, False])
def test_what_another_process_may_still_send_is_not_reported_as_not_executed(may_report: bool) -> None:
    """The log of the write is asked once, before the report, and only where the report would be a "no"."""
    for error, executed, asked in ((ConnectionRefusedError(), "no" if may_report else "maybe", [False]),
                                   (TimeoutError(), "maybe", [])):  # fmt: skip
        log = SharedLog(may_report=may_report)
        clock, events = FakeClock(), list[Any]()
        info = OperationInfo(operation="op", key="client_id", new_stamps=lambda log=log: log)
        pipeline = Pipeline(Policy(retry={"max_attempts": 1}), clock=clock, listeners=[events.append])

        def fail(client_id: str, error: Exception = error) -> None:
            raise error

        with pytest.raises(type(error)) as raised:
            pipeline.compile(fail, info)(client_id="a")
        failure = attached_failure(raised.value)
        assert failure is not None
        assert (failure.executed, log.asked) == (executed, asked)
        assert ("write_unknown" in [event.name for event in events]) == (executed == "maybe")


def test_a_batch_whose_items_are_settled_is_no_unknown_write(driver: Any) -> None:
    """What becomes of its items is told one by one."""
    policies = Policies.from_mapping({"policies": {"p": {"retry": None}}}, clock=FakeClock(), log=False)
    for settles, writes in ((True, 0), (False, 1)):
        info = OperationInfo(operation="create_orders", settles_items=settles)
        with pytest.raises(TimeoutError) as caught:
            driver.call(policies.pipeline("p").compile(driver.transport([TimeoutError()]), info))
        assert failure_of(caught.value).executed == "maybe"
        assert len(policies.snapshot()["writes_in_doubt"]) == writes


def test_a_batch_whose_items_are_settled_is_not_sent_again_for_a_likely_refusal(driver: Any) -> None:
    """By a bare 429, which a gateway may say after the orders were accepted."""
    for settles, sent in ((True, 1), (False, 2)):
        transport = driver.transport([Limited("busy"), "done"])
        info = OperationInfo(operation="create_orders", settles_items=settles)
        pipeline = Pipeline(Policy(retry=RETRY), clock=FakeClock())  # type: ignore[arg-type]
        with suppress(Limited):
            driver.call(pipeline.compile(transport, info))
        assert len(transport.calls) == sent


def test_no_hold_refuses_an_attempt_that_was_made_before(driver: Any) -> None:
    """Nor does the answer to it begin one: it began when the answer came."""
    pipeline = Pipeline(Policy(retry=None, deadline="5s"), clock=FakeClock())
    error = Limited("busy")
    error.retry_after = 60.0  # type: ignore[attr-defined]  # as a client would
    for resumed, expected in ((True, Limited), (False, Limited), (True, Limited), (False, QuotaExceededError)):
        send = pipeline.compile(driver.transport([error]), OperationInfo(operation="op", resumed=resumed))
        with pytest.raises(expected):
            driver.call(send)
