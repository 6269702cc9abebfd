"""A stage, or a call inside, that refuses a later attempt; a stage that fails to hear how one ended."""

from __future__ import annotations

import pytest

from resilience import ApiError, Pipeline, Policy, RejectedError, Stage, failure_of
from resilience.testing import FakeClock

POLICY = Policy(retry={"max_attempts": 3, "backoff": {"initial": 0}}, breaker={"consecutive": 2})  # type: ignore[arg-type]


class Switch(Stage):
    """Refuses every attempt but the first, and remembers how attempts ended."""

    def __init__(self) -> None:
        self.ended: list[type] = []

    def before(self, call: object) -> None:
        if getattr(call, "attempt", 1) > 1:
            raise RejectedError("switched off")

    def settle(self, call: object, error: BaseException | None) -> None:
        self.ended.append(type(error))


class Deaf(Stage):
    """Raises when it is told."""

    def settle(self, call: object, error: BaseException | None) -> None:
        raise RuntimeError("deaf")


def refuse() -> None:
    """Fail before sending."""
    raise ConnectionRefusedError


def test_the_apis_own_error_reaches_the_caller() -> None:
    """A refusal means that nothing was sent by the call; after a first attempt it is the cause and not the error."""
    stage = Switch()
    pipeline = Pipeline(POLICY, stages=[stage], clock=FakeClock())
    with pytest.raises(ConnectionRefusedError) as caught:
        pipeline.call(refuse)
    assert str(caught.value.__cause__) == "switched off"
    assert failure_of(caught.value).code == "connection_refused"
    assert stage.ended == [ConnectionRefusedError]
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "closed"


def test_a_call_inside_that_is_refused() -> None:
    """The same holds where a call inside the second attempt is refused: it has given up, and is not made again."""
    inside = Pipeline(Policy(name="inside", breaker={}), clock=FakeClock())  # type: ignore[arg-type]
    assert inside.breaker is not None
    inside.breaker.isolate()
    asked: list[int] = []

    def outer() -> None:
        asked.append(1)
        if len(asked) == 1:
            raise ConnectionRefusedError
        inside.call(refuse)

    with pytest.raises(ConnectionRefusedError):
        Pipeline(POLICY, clock=FakeClock()).call(outer)
    assert len(asked) == 2


def test_a_stage_that_raises_when_told_changes_nothing() -> None:
    """The result is returned, the API's error raised, and the other stages are told all the same."""
    told = Switch()
    pipeline = Pipeline(POLICY, stages=[told, Deaf()], clock=FakeClock())
    assert pipeline.call(lambda: "placed") == "placed"
    with pytest.raises(ApiError):
        pipeline.call(broken)
    assert told.ended == [type(None), ApiError]


def broken() -> None:
    """Answer with an API's error."""
    raise ApiError("1", "no")
