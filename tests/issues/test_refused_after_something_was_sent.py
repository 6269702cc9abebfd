"""A stage or an inner call that rejects a later attempt, and a stage that raises at the end of one."""

from __future__ import annotations

import pytest

from resilience import ApiError, Pipeline, Policy, RejectedError, Stage, failure_of
from resilience.testing import FakeClock

POLICY = Policy(retry={"max_attempts": 3, "backoff": {"initial": 0}}, breaker={"consecutive": 2})  # type: ignore[arg-type]


class Switch(Stage):
    """Rejects every attempt but the first, and records how attempts ended."""

    def __init__(self) -> None:
        self.ended: list[type] = []

    def before(self, call: object) -> None:
        if getattr(call, "attempt", 1) > 1:
            raise RejectedError("switched off")

    def settle(self, call: object, error: BaseException | None) -> None:
        self.ended.append(type(error))


class Broken(Stage):
    """Raises at the end of an attempt."""

    def settle(self, call: object, error: BaseException | None) -> None:
        raise RuntimeError("deaf")


def refuse() -> None:
    """Fail before sending."""
    raise ConnectionRefusedError


def test_the_apis_own_error_reaches_the_caller() -> None:
    """After a first attempt was sent, a later rejection is the cause of the API's error and does not replace it."""
    stage = Switch()
    pipeline = Pipeline(POLICY, stages=[stage], clock=FakeClock())
    with pytest.raises(ConnectionRefusedError) as caught:
        pipeline.call(refuse)
    assert str(caught.value.__cause__) == "switched off"
    assert failure_of(caught.value).code == "connection_refused"
    assert stage.ended == [ConnectionRefusedError]
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "closed"


def test_an_inner_call_that_is_rejected() -> None:
    """A rejected inner call in the second attempt has given up: the outer call does not retry it."""
    inside = Pipeline(Policy(name="inside", breaker={}), clock=FakeClock())  # type: ignore[arg-type]
    assert inside.breaker is not None
    inside.breaker.isolate()
    attempts: list[int] = []

    def outer() -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionRefusedError
        inside.call(refuse)

    with pytest.raises(ConnectionRefusedError):
        Pipeline(POLICY, clock=FakeClock()).call(outer)
    assert len(attempts) == 2


def test_a_stage_that_raises_at_the_end_changes_nothing() -> None:
    """The caller gets the result or the API's error, and the other stages are still called."""
    switch = Switch()
    pipeline = Pipeline(POLICY, stages=[switch, Broken()], clock=FakeClock())
    assert pipeline.call(lambda: "placed") == "placed"
    with pytest.raises(ApiError):
        pipeline.call(broken)
    assert switch.ended == [type(None), ApiError]


def broken() -> None:
    """Answer with an API's error."""
    raise ApiError("1", "no")
