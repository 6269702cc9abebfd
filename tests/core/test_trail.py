"""What a failed call leaves behind, step by step: what is told, what the breaker hears, what is given back."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, CircuitOpenError, Found, Pipeline, Policy
from resilience._core.call.context import Place
from resilience._core.call.operation_info import Binding
from resilience._core.call.recovery import Recovery
from resilience._core.call.steps import Action, Call
from resilience.testing import FakeClock

RETRY: dict[str, Any] = {"max_attempts": 3, "backoff": {"kind": "constant", "initial": 2, "jitter": "none"}}


class Failed:
    """A call whose first attempt is under way, driven by hand."""

    def __init__(self, policy: dict[str, Any] | None = None, stamps: list[float] | None = None, **binding: Any) -> None:
        self.clock = FakeClock(start=100.0)
        self.events: list[Any] = []
        rules = Policy(name="p", **{"retry": RETRY, **(policy or {})})
        pipeline = Pipeline(rules, clock=self.clock, listeners=[self.events.append])
        self.plan = pipeline._plan(len, Binding(operation="op", **binding), {}, 0)
        self.call = Call("op", (), {}, None)
        self.breaker: Any = self.plan.breaker
        ticket = None if self.breaker is None else self.breaker.admit(100.0)
        place = Place(self.plan, 160.0, 160.0, None, stamps)  # type: ignore[arg-type]
        self.recovery = Recovery(self.plan, self.call, tuple(place), ticket, 100.0, None)

    @property
    def told(self) -> list[str]:
        """Return the names of the events so far."""
        return [one.name for one in self.events]

    def again(self) -> None:
        """Wait and begin the next attempt."""
        self.clock.advance(2)
        assert self.recovery.waited().action is Action.SEND
        assert self.recovery.begin(self.recovery.door()) is not None


def test_a_wait_that_took_longer_is_over_when_it_is_over() -> None:
    """A call's time is never behind the clock."""
    one = Failed(read=True)
    one.recovery.failed(TimeoutError())
    one.clock.advance(10)
    one.recovery.waited()
    assert (one.recovery.now(), one.recovery.left()) == (110.0, 50.0)


def test_a_door_stands_only_where_something_gates() -> None:
    """What it refused is let go of in the end."""
    assert Failed().recovery.door() is None
    one = Failed({"quota": [{"rate": 1, "burst": 1}]})
    one.recovery.failed(ConnectionRefusedError())
    one.clock.advance(2)
    one.recovery.waited()
    door = one.recovery.door()
    assert door is not None
    door.refusal = CircuitOpenError("open")
    assert one.recovery.begin(door) is None
    assert one.recovery._turned_away is door.refusal
    one.recovery.close()
    assert one.recovery._turned_away is None


def test_a_quota_with_room_is_no_reason_to_give_up() -> None:
    """The deadline is: nothing stands as the cause."""
    one = Failed({"quota": [{"rate": 1, "burst": 1}]}, read=True)
    one.clock.advance(59)
    error = TimeoutError()
    assert one.recovery.failed(error) == (Action.RAISE, error)
    assert error.__cause__ is None


def test_a_harmless_write_that_was_refused_is_sent_again_without_a_look() -> None:
    """Its goal is looked up only when the API says that it is gone."""
    one = Failed(idempotent=True, reconcile=len)
    assert one.recovery.failed(ConnectionRefusedError()).action is Action.WAIT
    assert one.recovery._then is Action.SEND


@pytest.mark.parametrize(("deadline", "last"), [(10, 9.5), (100, 99.0)])
def test_the_last_look_comes_shortly_before_the_deadline(deadline: float, last: float) -> None:
    """A twentieth of it, a second at most; nothing is looked up after that."""
    clock, looks = FakeClock(), list[float]()

    def look(_call: Any) -> Any:
        looks.append(clock.monotonic())
        return NOT_FOUND

    rules: dict[str, Any] = {"deadline": deadline, "reconcile": {"checks": 1, "wait": 1, "fence": 3600}}
    binding = Binding(operation="order", reconcile=look)
    with pytest.raises(TimeoutError):
        Pipeline(Policy(retry=RETRY, **rules), clock=clock).compile(_late, binding)()
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
def test_a_write_that_is_cancelled_is_told(errors: list[Any], begins: bool, executed: str) -> None:
    """In doubt while an attempt is under way; else as far as its attempts went. Once, and not after its end."""
    one = Failed()
    for number, error in enumerate(errors):
        if number:
            one.again()
        assert one.recovery.failed(error).action is Action.WAIT
    if begins:
        one.again()
    one.recovery.abandoned()
    one.recovery.abandoned()
    assert (one.told[-1], one.told.count("call_abandoned")) == ("call_abandoned", 1)
    assert one.events[-1].executed == executed


def test_a_doubt_stays_when_the_call_is_cancelled() -> None:
    """An attempt of a write that may have happened, and nothing to look with."""
    one = Failed()
    assert one.recovery.failed(TimeoutError()).action is Action.RAISE
    one.recovery.abandoned()
    assert "call_abandoned" not in one.told
    looks = Failed({"reconcile": {}}, reconcile=len)
    assert looks.recovery.failed(TimeoutError()).action is Action.WAIT
    looks.recovery.abandoned()
    assert (looks.told[-1], looks.events[-1].executed) == ("call_abandoned", "maybe")


@pytest.mark.parametrize("binding", [{"read": True}, {"idempotent": True}])
def test_what_is_harmless_is_cancelled_in_silence(binding: Any) -> None:
    """Nobody needs to look for it."""
    one = Failed(**binding)
    one.recovery.failed(TimeoutError())
    one.recovery.abandoned()
    assert "call_abandoned" not in one.told


def test_what_is_told_of_a_call() -> None:
    """The number of the attempt, what was waited, what the error means and its class."""
    one = Failed(read=True)
    one.recovery.failed(TimeoutError())
    one.again()
    one.recovery.failed(OSError())
    one.again()
    one.recovery.recovered()
    one.recovery.abandoned()
    assert [(event.name, event.attempt, event.waited_so_far, event.wait_for) for event in one.events] == [
        ("attempt_failed", 1, 0.0, None), ("retry_scheduled", 1, 0.0, 2.0), ("attempt_failed", 2, 2.0, None),
        ("retry_scheduled", 2, 2.0, 2.0), ("call_recovered", 3, 4.0, None),
    ]  # fmt: skip
    first = one.events[0]
    assert (first.category, first.code, first.executed, first.caused_by, first.policy) == (
        "retryable", "timeout", "n_a", "TimeoutError", "p",
    )  # fmt: skip


class Unknown(Exception):
    """An error that nobody knows, with a code or without."""

    def __init__(self, code: str | None = None) -> None:
        super().__init__("unknown")
        if code is not None:
            self.body = {"code": code}


def test_an_unknown_code_is_told_once() -> None:
    """Not one that is known, nor an error without a code."""
    one = Failed(read=True)
    one.recovery.failed(Unknown("77777"))
    one.again()
    one.recovery.failed(Unknown("77777"))
    assert one.told.count("code_unknown") == 1
    for error in (Unknown(), TimeoutError()):
        other = Failed(read=True)
        other.recovery.failed(error)
        assert "code_unknown" not in other.told


def test_an_answer_that_is_thrown_away_is_handed_over_once() -> None:
    """For the driver to close; neither an error nor the answer that the caller gets."""
    bad = object()
    one = Failed(read=True, bad=lambda answer: True, discard=lambda answer: None)
    one.recovery.failed(bad)
    assert (one.recovery.stale(), one.recovery.stale()) == (bad, None)
    one.again()
    one.recovery.failed(TimeoutError())
    assert one.recovery.stale() is None
    one.again()
    step = one.recovery.failed(bad)
    assert (step.action, step.value, one.recovery.stale()) == (Action.RETURN, bad, None)
    kept = Failed(read=True, bad=lambda answer: True)
    kept.recovery.failed(bad)
    assert kept.recovery.stale() is None


def test_the_breaker_hears_of_every_attempt_and_its_changes_are_told_at_once() -> None:
    """A failure that opens it, a trial that succeeds, a trial that is cancelled."""
    rules = {"breaker": {"consecutive": 1, "failure_rate": None, "open_for": 1}}
    one = Failed(rules, read=True)
    one.recovery.failed(TimeoutError())
    assert one.told[:2] == ["circuit_opened", "attempt_failed"]
    one.again()
    assert one.told[-1] == "circuit_half_opened"
    assert one.breaker.admit(102.0) is None
    one.recovery.recovered()
    assert one.told[-2:] == ["circuit_closed", "call_recovered"]
    other = Failed(rules, read=True)
    other.recovery.failed(TimeoutError())
    other.again()
    other.recovery.abandoned()
    assert other.breaker.admit(102.0) is not None


def test_a_first_attempt_that_is_cancelled_gives_its_permit_back() -> None:
    """Once."""
    one = Failed({"breaker": {"open_for": 1}})
    one.breaker.open()
    one.clock.advance(2)
    ticket = one.breaker.admit(102.0)
    place = Place(one.plan, 160.0, 160.0, None, None)  # type: ignore[arg-type]
    recovery = Recovery(one.plan, one.call, tuple(place), ticket, 102.0, None)
    assert one.breaker.admit(102.0) is None
    recovery.abandoned()
    assert one.breaker.admit(102.0) is not None
    recovery.abandoned()
    assert one.breaker.admit(102.0) is None


def test_a_refusal_inside_a_later_attempt_leaves_the_apis_error_to_the_caller() -> None:
    """It is the cause of that one, nothing of it was sent, and the permit goes back."""
    one = Failed({"breaker": {"consecutive": 1, "failure_rate": None, "open_for": 1}})
    error, refusal = ConnectionRefusedError(), CircuitOpenError("inside")
    one.recovery.failed(error)
    one.again()
    step = one.recovery.failed(refusal)
    assert step.action is Action.WAIT
    assert one.breaker.admit(102.0) is not None
    one.recovery.abandoned()
    assert one.events[-1].executed == "no"
    two = Failed({"retry": {**RETRY, "max_attempts": 2}})
    two.recovery.failed(error)
    two.again()
    end = two.recovery.failed(refusal)
    assert (end.action, end.value, error.__cause__) == (Action.RAISE, error, refusal)
    first = Failed()
    assert first.recovery.failed(refusal).action is Action.WAIT


def test_a_refused_stamp_is_no_failure_of_the_service() -> None:
    """Our clock is wrong: the breaker hears nothing of it."""
    one = Failed({"codes": ("bitget", "http"), "breaker": {"consecutive": 1, "failure_rate": None}}, read=True)
    one.recovery.failed(Unknown("40008"))
    assert (one.breaker.state, one.told[0]) == ("closed", "attempt_failed")


def test_a_look_that_finds_the_write_is_told() -> None:
    """And a cancellation after it changes nothing."""
    one = Failed({"reconcile": {}}, reconcile=len)
    one.recovery.failed(TimeoutError())
    one.clock.advance(1)
    assert one.recovery.waited().action is Action.LOOK
    step = one.recovery.looked(Found("done"), 101.0)
    one.recovery.abandoned()
    assert (step, one.told[-1]) == ((Action.RETURN, "done"), "call_reconciled")


@pytest.mark.parametrize(
    ("stamps", "binding", "executed", "sent_at"),
    [
        ([], {"signed": True}, "no", 1_700_000_000.0),
        ([7.0], {"signed": True}, "maybe", 7.0),
        ([], {}, "maybe", 1_700_000_000.0),
        (None, {"signed": True}, "maybe", 1_700_000_000.0),
        ([7.0, 5.0, 9.0], {}, "maybe", 7.0),
        ([7.0, 5.0, 9.0], {"resumed": True}, "maybe", 5.0),
    ],
)
def test_the_stamp_of_an_attempt(stamps: Any, binding: Any, executed: str, sent_at: float) -> None:
    """A client that stamps what it sends and has told none has sent nothing; without a stamp our clock tells."""
    one = Failed({"retry": None}, stamps, **binding)
    one.clock.advance(3)
    one.recovery.failed(TimeoutError())
    assert one.call.failure is not None
    assert (one.call.failure.executed, one.call.sent_at) == (executed, sent_at)


def test_only_stamps_of_the_attempt_itself_are_fresh() -> None:
    """The second attempt told none: nothing of it was sent, and the first one's doubt stays."""
    stamps: list[float] = []
    one = Failed({"reconcile": {"fence": 1}}, stamps, signed=True, reconcile=len)
    one.recovery.failed(TimeoutError())
    assert one.recovery._trail.doubt is None
    one.again()
    stamps.append(9.0)
    one.recovery.failed(TimeoutError())
    doubt = one.recovery._trail.doubt
    assert doubt is not None
    assert (doubt.open, doubt._open) == (True, [9.0 + 35.0])


@pytest.mark.parametrize(("resumed", "begun"), [(False, 100.0), (True, None)])
def test_a_write_that_another_process_began_has_no_beginning_here(resumed: bool, begun: float | None) -> None:
    """Its clock was another: only the stamp is known."""
    one = Failed({"reconcile": {}}, reconcile=len, resumed=resumed)
    one.recovery.failed(TimeoutError())
    doubt = one.recovery._trail.doubt
    assert doubt is not None
    assert doubt._begun == begun


def test_nothing_of_an_error_is_kept() -> None:
    """So that no cycle keeps a traceback alive."""
    one = Failed({"retry": {**RETRY, "max_attempts": 2}})
    one.recovery.failed(ConnectionRefusedError())
    one.again()
    one.recovery.failed(CircuitOpenError("inside"))
    one.recovery.close()
    trail = one.recovery._trail
    assert (trail.outcome, trail.refusal, one.call.failure) == (None, None, None)
