"""Tests of the failures of an attempt and of a call, as the caller gets them."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Category, Failure, Pipeline, Policy
from resilience._core.call.failure_report import attempt_failure, call_failure, caused_by, failure_of_inner_call
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.steps import FailedCall
from resilience.testing import FakeClock

UTC = 1_700_000_000.0
SENT = "2023-11-14T22:13:20Z"


class TooManyRequests(Exception):
    """An error with a Retry-After."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__("too many requests")
        self.status_code = 429
        self.__dict__.update(attributes)


class PlanStub:
    """The attributes of a plan that the reports read."""

    def __init__(self, clock: FakeClock, **info: Any) -> None:
        pipeline = Pipeline(Policy(), clock=clock)
        self.info = OperationInfo(operation="op", **info)
        self.clock = clock
        self.operation = "op"
        self.idempotent = bool(self.info.idempotent) or self.info.read
        self.classifier = pipeline.classifier


def call(key: str | None = None, sent_at: float | None = UTC) -> FailedCall:
    """Return a call of two attempts."""
    call = FailedCall("op", (), {}, key)
    call.attempt, call.sent_at = 2, sent_at
    return call


@pytest.mark.parametrize(
    ("executed", "options", "expected"),
    [
        ("maybe", {"maybe_executed": True, "looked_up": False}, "maybe"),
        ("no", {"maybe_executed": True, "looked_up": True}, "maybe"),
        ("maybe", {"maybe_executed": False, "looked_up": True}, "no"),
        ("maybe", {"maybe_executed": False, "looked_up": False}, "maybe"),
        ("no", {"maybe_executed": False, "looked_up": False}, "no"),
    ],
)
def test_a_call_is_as_uncertain_as_its_attempts(executed: Any, options: Any, expected: str) -> None:
    """One uncertain attempt makes the call uncertain unless it was looked up; else the last answer decides."""
    final = call_failure(Failure(Category.RETRYABLE, executed=executed), call(), PlanStub(FakeClock()), **options)  # type: ignore[arg-type]
    assert final.executed == expected
    assert (final.attempts, final.operation, final.key, final.sent_at) == (2, "op", None, UTC)


def test_a_read_changes_nothing() -> None:
    """A read is never uncertain, whatever its attempts were."""
    failure = Failure(Category.RETRYABLE, executed="n_a")
    assert (
        call_failure(failure, call(), PlanStub(FakeClock(), read=True), maybe_executed=True, looked_up=True).executed
        == "n_a"
    )  # type: ignore[arg-type]


LOOK_UP = "It may have happened: look for {} before sending it again"
DECLARE = "; declare `idempotent: true` where doing it twice is harmless, or a key and a lookup, and it is sent again"


@pytest.mark.parametrize(
    ("failure", "key", "sent_at", "remedy"),
    [
        ({"executed": "maybe"}, "k", UTC, LOOK_UP.format(f"key k since {SENT}")),
        ({"executed": "maybe", "remedy": "Wait"}, "k", None, LOOK_UP.format("key k")),
        ({"executed": "maybe"}, None, 1e20, LOOK_UP.format("this request since 100000000000000000000") + DECLARE),
        ({"executed": "maybe"}, None, 1e12, LOOK_UP.format("this request since 1000000000000") + DECLARE),
        ({"executed": "maybe", "remedy": "Wait"}, None, UTC, "Wait" + DECLARE),
        ({"executed": "maybe", "remedy": "Wait", "duplicate": True}, "k", UTC, "Wait"),
        ({"executed": "no", "remedy": "Wait"}, "k", UTC, "Wait"),
    ],
)
def test_a_remedy_says_what_to_look_for(failure: Any, key: str | None, sent_at: float | None, remedy: str) -> None:
    """An uncertain call's remedy has the key and the time of sending; otherwise it is the rule's remedy."""
    last = Failure(Category.RETRYABLE, **failure)
    maybe_executed = last.executed == "maybe"
    assert (
        call_failure(
            last, call(key, sent_at), PlanStub(FakeClock()), maybe_executed=maybe_executed, looked_up=False
        ).remedy
        == remedy
    )  # type: ignore[arg-type]


def test_the_remedy_of_a_call_that_was_not_executed() -> None:
    """It may be sent again, and so may an idempotent write."""
    failure = Failure(Category.RETRYABLE, executed="maybe", remedy="Wait")
    stand: Any = PlanStub(FakeClock())
    assert (
        call_failure(failure, call(), stand, maybe_executed=False, looked_up=True).remedy
        == "It did not happen; it may be sent again"
    )
    harmless: Any = PlanStub(FakeClock(), idempotent=True)
    assert call_failure(failure, call("k"), harmless, maybe_executed=True, looked_up=False).remedy == "Wait"


@pytest.mark.parametrize(
    ("hint", "after", "at"),
    [
        ({"retry_after": 3.0}, 3.0, UTC + 3),
        ({"headers": {"Retry-After": "Tue, 14 Nov 2023 22:13:27 GMT"}}, 7.0, UTC + 7),
        ({"headers": {"Retry-After": "Tue, 14 Nov 2023 22:13:13 GMT"}}, 0.0, UTC - 7),
        ({}, None, None),
    ],
)
def test_a_wait_is_given_in_seconds_and_as_a_time(hint: Any, after: float | None, at: float | None) -> None:
    """A wait is reported as seconds from now and as an instant; a past instant is no wait."""
    failure = attempt_failure(PlanStub(FakeClock()), TooManyRequests(**hint))  # type: ignore[arg-type]
    assert (failure.retry_after, failure.retry_at) == (after, at)


def test_a_read_has_no_effect() -> None:
    """One attempt is written in the singular."""
    reads: Any = PlanStub(FakeClock(), read=True)
    writes: Any = PlanStub(FakeClock())
    assert (attempt_failure(reads, TimeoutError()).executed, attempt_failure(writes, TimeoutError()).executed) == (
        "n_a",
        "maybe",
    )


@pytest.mark.parametrize("executed", ["maybe", "no"])
def test_the_failure_of_an_inner_call(executed: Any) -> None:
    """It is taken over; a group is uncertain if one of its calls is."""
    inner, stand = Failure(Category.USER_FIXABLE, executed=executed), PlanStub(FakeClock())
    assert failure_of_inner_call(stand, OSError(), inner) is inner  # type: ignore[arg-type]
    whole = failure_of_inner_call(stand, ExceptionGroup("g", [ConnectionRefusedError()]), inner)  # type: ignore[arg-type]
    assert (whole.category, whole.executed) == (Category.RETRYABLE, executed)


class Nowhere(Exception):
    """An error whose class has no module."""


Nowhere.__module__ = ""


@pytest.mark.parametrize(
    ("outcome", "name"),
    [(None, None), (KeyError(), "KeyError"), (Nowhere(), "Nowhere"), (FakeClock(), "resilience.FakeClock")],
)
def test_the_class_of_an_error(outcome: object, name: str | None) -> None:
    """An error is reported by its package and class, never by its text."""
    assert caused_by(outcome) == name
