"""Tests of a failed call, step by step: its events, what the breaker counts, what is given back."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, CircuitOpenError, Found, Pipeline, Policy
from resilience._core.call.context import CallContext
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.recovery import Recovery
from resilience._core.call.steps import Action, FailedCall
from resilience.testing import FakeClock

RETRY: dict[str, Any] = {"max_attempts": 3, "backoff": {"kind": "constant", "initial": 2, "jitter": "none"}}


class Failed:
    """A call whose first attempt is under way, driven by hand."""

    def __init__(self, policy: dict[str, Any] | None = None, stamps: list[float] | None = None, **info: Any) -> None:
        self.clock = FakeClock(start=100.0)
        self.events: list[Any] = []
        rules = Policy(name="p", **{"retry": RETRY, **(policy or {})})
        pipeline = Pipeline(rules, clock=self.clock, listeners=[self.events.append])
        self.plan = pipeline.plan(len, OperationInfo(operation="op", **info))
        self.call = FailedCall("op", (), {}, None)
        self.breaker: Any = self.plan.breaker
        permit = None if self.breaker is None else self.breaker.admit(100.0)
        place = CallContext(self.plan, 160.0, 160.0, None, stamps)  # type: ignore[arg-type]
        self.recovery = Recovery(self.plan, self.call, tuple(place), permit, 100.0, None)

    @property
    def event_names(self) -> list[str]:
        """Return the names of the events so far."""
        return [one.name for one in self.events]

    def again(self) -> None:
        """Wait and begin the next attempt."""
        self.clock.advance(2)
        assert self.recovery.after_wait().action is Action.SEND
        assert self.recovery.begin_attempt(self.recovery.new_gate()) is not None


def test_a_wait_that_took_longer_is_over_when_it_is_over() -> None:
    """A call's time is never behind the clock."""
    one = Failed(read=True)
    one.recovery.on_failure(TimeoutError())
    one.clock.advance(10)
    one.recovery.after_wait()
    assert (one.recovery.now(), one.recovery.seconds_left()) == (110.0, 50.0)


def test_a_gate_is_made_only_where_it_is_needed() -> None:
    """Its rejection is dropped in the end."""
    assert Failed().recovery.new_gate() is None
    one = Failed({"quota": [{"rate": 1, "burst": 1}]})
    one.recovery.on_failure(ConnectionRefusedError())
    one.clock.advance(2)
    one.recovery.after_wait()
    new_gate = one.recovery.new_gate()
    assert new_gate is not None
    new_gate.rejection = CircuitOpenError("open")
    assert one.recovery.begin_attempt(new_gate) is None
    assert one.recovery._gate_rejection is new_gate.rejection
    one.recovery.close()
    assert one.recovery._gate_rejection is None


def test_a_quota_that_allows_it_is_no_reason_to_give_up() -> None:
    """The deadline is: the error gets no cause."""
    one = Failed({"quota": [{"rate": 1, "burst": 1}]}, read=True)
    one.clock.advance(59)
    error = TimeoutError()
    assert one.recovery.on_failure(error) == (Action.RAISE, error)
    assert error.__cause__ is None


def test_a_harmless_write_that_was_rejected_is_sent_again_without_a_lookup() -> None:
    """Its goal is looked up only when the API says that it is gone."""
    one = Failed(idempotent=True, reconcile=len)
    assert one.recovery.on_failure(ConnectionRefusedError()).action is Action.WAIT
    assert one.recovery._after_wait is Action.SEND


@pytest.mark.parametrize(("deadline", "last"), [(10, 9.5), (100, 99.0)])
def test_the_last_lookup_comes_shortly_before_the_deadline(deadline: float, last: float) -> None:
    """A twentieth of it, a second at most; there is no lookup after that."""
    clock, looks = FakeClock(), list[float]()

    def look(_call: Any) -> Any:
        looks.append(clock.monotonic())
        return NOT_FOUND

    rules: dict[str, Any] = {"deadline": deadline, "reconcile": {"early_checks": 1, "wait": 1, "fence": 3600}}
    info = OperationInfo(operation="order", reconcile=look)
    with pytest.raises(TimeoutError):
        Pipeline(Policy(retry=RETRY, **rules), clock=clock).compile(_late, info)()
    assert looks == [1.0, last]


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
    """Uncertain while an attempt is under way; else as uncertain as its attempts. Once, and not after its end."""
    one = Failed()
    for number, error in enumerate(errors):
        if number:
            one.again()
        assert one.recovery.on_failure(error).action is Action.WAIT
    if begins:
        one.again()
    one.recovery.abandon()
    one.recovery.abandon()
    assert (one.event_names[-1], one.event_names.count("call_abandoned")) == ("call_abandoned", 1)
    assert one.events[-1].executed == executed


def test_a_cancelled_call_stays_uncertain() -> None:
    """An attempt of a write that may have happened, and no reconciler."""
    one = Failed()
    assert one.recovery.on_failure(TimeoutError()).action is Action.RAISE
    one.recovery.abandon()
    assert "call_abandoned" not in one.event_names
    looks = Failed({"reconcile": {}}, reconcile=len)
    assert looks.recovery.on_failure(TimeoutError()).action is Action.WAIT
    looks.recovery.abandon()
    assert (looks.event_names[-1], looks.events[-1].executed) == ("call_abandoned", "maybe")


@pytest.mark.parametrize("info", [{"read": True}, {"idempotent": True}])
def test_what_is_harmless_is_cancelled_in_silence(info: Any) -> None:
    """It needs no lookup."""
    one = Failed(**info)
    one.recovery.on_failure(TimeoutError())
    one.recovery.abandon()
    assert "call_abandoned" not in one.event_names


def test_the_events_of_a_call() -> None:
    """The number of the attempt, what was waited, what the error means and its class."""
    one = Failed(read=True)
    one.recovery.on_failure(TimeoutError())
    one.again()
    one.recovery.on_failure(OSError())
    one.again()
    one.recovery.on_success()
    one.recovery.abandon()
    assert [(event.name, event.attempt, event.waited_so_far, event.wait_for) for event in one.events] == [
        ("attempt_failed", 1, 0.0, 2.0), ("attempt_failed", 2, 2.0, 2.0), ("call_recovered", 3, 4.0, None),
    ]  # fmt: skip
    first = one.events[0]
    assert (first.category, first.code, first.executed, first.caused_by, first.policy) == (
        "retryable", "timeout", "n_a", "TimeoutError", "p",
    )  # fmt: skip


class Unknown(Exception):
    """An error that nothing explains, with a code or without."""

    def __init__(self, code: str | None = None) -> None:
        super().__init__("unknown")
        if code is not None:
            self.body = {"code": code}


def test_an_unknown_code_is_emitted_once() -> None:
    """Not a known code, nor an error without a code."""
    one = Failed(read=True)
    one.recovery.on_failure(Unknown("77777"))
    one.again()
    one.recovery.on_failure(Unknown("77777"))
    assert one.event_names.count("code_unknown") == 1
    for error in (Unknown(), TimeoutError()):
        other = Failed(read=True)
        other.recovery.on_failure(error)
        assert "code_unknown" not in other.event_names


def test_an_answer_that_is_thrown_away_is_handed_over_once() -> None:
    """For the driver to close; neither an error nor the answer that the caller gets."""
    bad = object()
    one = Failed(read=True, is_error_response=lambda answer: True, discard=lambda answer: None)
    one.recovery.on_failure(bad)
    assert (one.recovery.take_discarded_answer(), one.recovery.take_discarded_answer()) == (bad, None)
    one.again()
    one.recovery.on_failure(TimeoutError())
    assert one.recovery.take_discarded_answer() is None
    one.again()
    step = one.recovery.on_failure(bad)
    assert (step.action, step.value, one.recovery.take_discarded_answer()) == (Action.RETURN, bad, None)
    kept = Failed(read=True, is_error_response=lambda answer: True)
    kept.recovery.on_failure(bad)
    assert kept.recovery.take_discarded_answer() is None


def test_every_attempt_is_settled_and_the_breakers_events_are_emitted_at_once() -> None:
    """A failure that opens it, a trial that succeeds, a trial that is cancelled."""
    rules = {"breaker": {"consecutive": 1, "failure_rate": None, "open_for": 1}}
    one = Failed(rules, read=True)
    one.recovery.on_failure(TimeoutError())
    assert one.event_names[:2] == ["circuit_opened", "attempt_failed"]
    one.again()
    assert one.event_names[-1] == "circuit_half_opened"
    assert one.breaker.admit(102.0) is None
    one.recovery.on_success()
    assert one.event_names[-2:] == ["circuit_closed", "call_recovered"]
    other = Failed(rules, read=True)
    other.recovery.on_failure(TimeoutError())
    other.again()
    other.recovery.abandon()
    assert other.breaker.admit(102.0) is not None


def test_a_first_attempt_that_is_cancelled_gives_its_permit_back() -> None:
    """Once."""
    one = Failed({"breaker": {"open_for": 1}})
    one.breaker.open()
    one.clock.advance(2)
    permit = one.breaker.admit(102.0)
    place = CallContext(one.plan, 160.0, 160.0, None, None)  # type: ignore[arg-type]
    recovery = Recovery(one.plan, one.call, tuple(place), permit, 102.0, None)
    assert one.breaker.admit(102.0) is None
    recovery.abandon()
    assert one.breaker.admit(102.0) is not None
    recovery.abandon()
    assert one.breaker.admit(102.0) is None


def test_a_rejection_inside_a_later_attempt_leaves_the_apis_error_to_the_caller() -> None:
    """It is the cause of that one, nothing of it was sent, and the permit goes back."""
    one = Failed({"breaker": {"consecutive": 1, "failure_rate": None, "open_for": 1}})
    error, rejection = ConnectionRefusedError(), CircuitOpenError("inside")
    one.recovery.on_failure(error)
    one.again()
    step = one.recovery.on_failure(rejection)
    assert step.action is Action.WAIT
    assert one.breaker.admit(102.0) is not None
    one.recovery.abandon()
    assert one.events[-1].executed == "no"
    two = Failed({"retry": {**RETRY, "max_attempts": 2}})
    two.recovery.on_failure(error)
    two.again()
    end = two.recovery.on_failure(rejection)
    assert (end.action, end.value, error.__cause__) == (Action.RAISE, error, rejection)
    first = Failed()
    assert first.recovery.on_failure(rejection).action is Action.WAIT


def test_a_rejected_stamp_is_no_failure_of_the_service() -> None:
    """Our clock is wrong: the breaker counts nothing."""
    one = Failed({"codes": ("bitget", "http"), "breaker": {"consecutive": 1, "failure_rate": None}}, read=True)
    one.recovery.on_failure(Unknown("40008"))
    assert (one.breaker.state, one.event_names[0]) == ("closed", "attempt_failed")


def test_a_lookup_that_finds_the_write_is_emitted() -> None:
    """And a cancellation after it changes nothing."""
    one = Failed({"reconcile": {}}, reconcile=len)
    one.recovery.on_failure(TimeoutError())
    one.clock.advance(1)
    assert one.recovery.after_wait().action is Action.LOOK_UP
    step = one.recovery.on_lookup(Found("done"), 101.0)
    one.recovery.abandon()
    assert (step, one.event_names[-1]) == ((Action.RETURN, "done"), "call_reconciled")


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
    """A client that stamps what it sends and reported no stamp has sent nothing; without one our clock is used."""
    one = Failed({"retry": None}, stamps, **info)
    one.clock.advance(3)
    one.recovery.on_failure(TimeoutError())
    assert one.call.failure is not None
    assert (one.call.failure.executed, one.call.sent_at) == (executed, sent_at)


def test_only_stamps_of_the_attempt_itself_are_fresh() -> None:
    """The second attempt reported no stamp: nothing of it was sent, and the first one stays uncertain."""
    stamps: list[float] = []
    one = Failed({"reconcile": {"fence": 1}}, stamps, signs=True, reconcile=len)
    one.recovery.on_failure(TimeoutError())
    assert one.recovery._history.uncertain_write is None
    one.again()
    stamps.append(9.0)
    one.recovery.on_failure(TimeoutError())
    uncertain_write = one.recovery._history.uncertain_write
    assert uncertain_write is not None
    assert (uncertain_write.is_open, uncertain_write._limits) == (True, [9.0 + 35.0])


@pytest.mark.parametrize(("resumed", "begun"), [(False, 100.0), (True, None)])
def test_a_write_that_another_process_began_has_no_beginning_here(resumed: bool, begun: float | None) -> None:
    """Its clock was another: only the stamp is known."""
    one = Failed({"reconcile": {}}, reconcile=len, resumed=resumed)
    one.recovery.on_failure(TimeoutError())
    uncertain_write = one.recovery._history.uncertain_write
    assert uncertain_write is not None
    assert uncertain_write._began == begun


def test_nothing_of_an_error_is_kept() -> None:
    """So that no cycle keeps a traceback alive."""
    one = Failed({"retry": {**RETRY, "max_attempts": 2}})
    one.recovery.on_failure(ConnectionRefusedError())
    one.again()
    one.recovery.on_failure(CircuitOpenError("inside"))
    one.recovery.close()
    history = one.recovery._history
    assert (history.outcome, history.rejection, one.call.failure) == (None, None, None)
