"""Tests of the plan: a pipeline resolved for one operation."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from resilience import ApiError, Pipeline, Policy
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.plan import Plan
from resilience._core.call.send_log import SendLog
from resilience._core.call.steps import FailedCall
from resilience._core.policy.sections import BreakerSettings
from resilience._core.stages.breaker import Breaker
from resilience._core.stages.fence import Fence
from resilience.testing import FakeClock


def new_plan(policy: dict[str, Any] | None = None, skip: int = 0, **info: Any) -> Plan:
    """Return the plan of an operation under a policy."""
    pipeline = Pipeline(Policy(name="p", **(policy or {})), clock=FakeClock())
    return pipeline.compiler.plan(len, OperationInfo(operation="op", **info), skip=skip)


LOOK_UP: dict[str, Any] = {"reconcile": lambda call: None}


@pytest.mark.parametrize(
    ("info", "idempotent", "reconcilable", "confirmable"),
    [
        ({}, False, False, False),
        ({"idempotent": True}, True, False, False),
        ({"read": True}, True, False, False),
        (LOOK_UP, False, True, False),
        ({**LOOK_UP, "idempotent": True}, True, False, True),
        ({**LOOK_UP, "read": True}, True, False, False),
    ],
)
def test_what_can_be_looked_up(info: Any, idempotent: bool, reconcilable: bool, confirmable: bool) -> None:
    """A write can be looked up, and the goal of an idempotent one; a read changes nothing."""
    plan = new_plan(**info)
    assert (plan.idempotent, plan.reconcilable, plan.confirmable) == (idempotent, reconcilable, confirmable)


def test_what_a_policy_leaves_out() -> None:
    """A policy without sections has no limits and no gate, and the fence of the API."""
    plan = new_plan()
    assert (plan.deadline, plan.attempt_timeout, plan.gate.is_needed, plan.gate.rate_window, plan.keys) == (
        inf,
        inf,
        False,
        None,
        None,
    )
    assert (plan.fence, plan.window, plan.gate.wait_for_breaker, plan.info.new_stamps()) == (Fence(), None, False, [])
    assert (plan.gate.weights((), {}), plan.gate.quota_ready_at(3.0, (), {})) == ((), 3.0)
    limited = new_plan(
        {"deadline": 9, "attempt_timeout": 3, "reconcile": {"window": 4}, "breaker": {"when_open": "wait"}}
    )
    assert (limited.deadline, limited.attempt_timeout, limited.window, limited.gate.wait_for_breaker) == (
        9.0,
        3.0,
        4.0,
        True,
    )
    assert new_plan({"breaker": {"when_open": "wait_retries"}}).gate.wait_for_breaker is False


@pytest.mark.parametrize(
    ("info", "at", "fits_deadline"),
    [
        ({}, 9.9, True),
        ({}, 10.0, False),
        (LOOK_UP, 7.0, True),
        (LOOK_UP, 7.1, False),
        ({**LOOK_UP, "idempotent": True}, 9.9, True),
    ],
)
def test_a_write_that_is_looked_up_needs_all_of_its_time(info: Any, at: float, fits_deadline: bool) -> None:
    """A write with lookups needs its whole timeout before the deadline; other attempts may begin until then."""
    assert new_plan({"attempt_timeout": 3}, **info).gate.fits_deadline(at, 10.0) is fits_deadline
    assert new_plan(**info).gate.fits_deadline(9.9, 10.0)
    assert not new_plan(**info).gate.fits_deadline(10.0, 10.0)


def test_lanes() -> None:
    """A lane is a name or a function of the caller's arguments; lanes above the default have high priority."""
    lanes = {"admission": {"lanes": {"entry": {"priority": 1}, "bulk": {"priority": -1}, "plain": {}}}}
    assert (new_plan(lanes).gate.lane((), {}), new_plan(lanes).gate.high_priority((), {})) == ("", False)
    answer = {
        name: new_plan(lanes, lane=name).gate.high_priority((), {})
        for name in ("entry", "bulk", "plain", "cancel", "odd")
    }
    assert answer == {"entry": True, "bulk": False, "plain": False, "cancel": True, "odd": False}
    plan = new_plan(lanes, skip=1, lane=lambda args, kwargs: kwargs.get("lane") or args[0])
    assert (plan.gate.lane(("self", "entry"), {}), plan.gate.lane(("self", "x"), {"lane": "bulk"})) == ("entry", "bulk")
    assert new_plan(lanes, lane=lambda args, kwargs: None).gate.lane((), {}) == ""
    assert new_plan(lane="cancel").gate.high_priority((), {})


def test_when_the_quotas_allow_a_send() -> None:
    """The latest window decides, and nothing is consumed; a high-priority lane sees the reserve too."""
    plan = new_plan({"quota": [{"rate": 1, "burst": 1}, {"rate": 1, "burst": 2, "weight": None}]})
    assert plan.gate.quota_ready_at(0.0, (), {}) == 0.0
    assert plan.quotas is not None
    plan.quotas.entries[0].common.take(0.0)
    assert (plan.gate.quota_ready_at(0.5, (), {}), plan.gate.quota_ready_at(2.0, (), {})) == (1.0, 2.0)
    weighed = new_plan({"quota": [{"rate": 1, "burst": 5, "weight": lambda n, by=1: n * by}]}, skip=1)
    assert (weighed.gate.weights(("self", 2), {"by": 2}), weighed.gate.quota_ready_at(0.0, ("self", 6), {})) == (
        (4,),
        inf,
    )
    reserving = {"quota": [{"rate": 1, "burst": 2, "reserve": 0.5}]}
    for lane, at in ((None, 2.0), ("cancel", 0.0)):
        plan = new_plan(reserving, lane=lane)
        assert plan.quotas is not None
        plan.quotas.entries[0].common.take(0.0)
        assert plan.gate.quota_ready_at(0.0, (), {}) == at


@pytest.mark.parametrize(
    ("rules", "info", "fence"),
    [
        ({}, {"fence": Fence(1, 2, 3)}, Fence(1, 2, 3)),
        ({"processing": 7, "lag": 8}, {"fence": Fence(1, 2, 3)}, Fence(1, 7, 8)),
        ({"processing": 0, "lag": 0, "window": 0}, {}, Fence(0, 0, 0)),
        ({"window": 5, "stamp_window": 6}, {}, Fence(5, 3, 2)),
        ({"window": 5, "stamp_window": 6}, {"signs": True}, Fence(6, 3, 2)),
        ({"window": 5}, {"signs": True}, Fence(30, 3, 2)),
        ({"window": 5}, {"signs": True, "sends_window": True}, Fence(5, 3, 2)),
    ],
)
def test_the_policys_bounds_replace_those_of_the_api(rules: Any, info: Any, fence: Fence) -> None:
    """A window that a signed request does not carry does not change what the server accepts."""
    assert new_plan({"reconcile": rules}, **info).fence == fence


class Answer:
    """A response with a status."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def failed(answer: Any) -> bool:
    """Return whether a response is a failure."""
    return isinstance(answer, Answer) and answer.status_code >= 500


def test_results_are_inspected() -> None:
    """A good result gives None; a bad one its error, or itself if the caller gets it back."""
    error = {"code": "43012", "msg": "m"}
    plan = new_plan({"codes": ("bitget", "http")}, is_error_response=failed)
    bad, good = Answer(503), Answer(200)
    assert (
        plan.inspect_result("text"),
        plan.inspect_result([error]),
        plan.inspect_result(good),
        plan.inspect_result(bad),
    ) == (None, None, None, bad)
    answer = plan.inspect_result(error)
    assert isinstance(answer, ApiError)
    assert answer.code == "43012"
    for silent in (
        new_plan({"codes": ("bitget",), "classify_results": False}, is_error_response=failed),
        new_plan({"codes": ("bitget",)}, is_error_response=failed, classify_results=False),
    ):
        assert (silent.inspect_result(error), silent.inspect_result(bad)) == (None, None)
    assert new_plan({"codes": ("bitget",)}).inspect_result(bad) is None


@pytest.mark.parametrize(
    ("info", "rows", "is_error"),
    [
        ({}, 1000, True),
        ({"idempotent": True}, 20, True),
        ({"idempotent": True}, 1000, False),
        ({"read": True}, 1, False),
    ],
)
def test_only_the_items_of_a_batch_are_inspected(info: Any, rows: int, is_error: bool) -> None:
    """The rows of a read are data, and so is a list that is longer than any batch; a write is inspected as a whole."""
    items = [{"code": "0", "msg": ""}] * (rows - 1) + [{"code": "43012", "msg": "Insufficient balance"}]
    answer = {"code": "00000", "msg": "success", "requestTime": 1, "data": items}
    error = new_plan({"codes": ("bitget",)}, **info).inspect_result(answer)
    assert isinstance(error, ApiError) is is_error


def test_a_coroutine_that_is_not_awaited_is_a_mistake() -> None:
    """The coroutine is closed, and the error names the operation."""

    async def later() -> None:
        """Never run."""

    answer = new_plan().inspect_result(later())
    assert isinstance(answer, TypeError)
    assert str(answer) == "op returned a coroutine: wrap it as an async function"


def test_reported_limits_reach_the_quotas() -> None:
    """Instants of reported limits are on our clock."""
    plan = new_plan({"quota": [{"rate": 1, "burst": 9}]})
    plan.clock.advance(5)  # type: ignore[attr-defined]
    plan.report_limits(remaining=2)
    plan.report_limits(hold=3)
    assert plan.quotas is not None
    assert (plan.quotas.entries[0].left(8.0), plan.quotas.entries[0].held_until) == (2, 8.0)


def test_a_call_begins_before_its_first_attempt() -> None:
    """A new call has no attempt, and nothing was sent."""
    call = FailedCall("op", (1,), {"two": 2}, "k")
    assert (call.operation, call.args, call.kwargs, call.key) == ("op", (1,), {"two": 2}, "k")
    assert (call.attempt, call.failure, call.sent_at) == (0, None, None)


def test_the_defaults_of_a_function() -> None:
    """It is a write of its own name, without key, lookup, host or table."""
    operation_info = OperationInfo(operation="op")
    values = [getattr(operation_info, name) for name in operation_info.__dataclass_fields__]
    assert values == [
        "op",
        None,
        False,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        {},
        True,
        None,
        None,
        False,
        False,
        False,
        False,
        False,
        SendLog,
        None,
        False,
        False,
        False,
        None,
        False,
        False,
        None,
        None,
    ]
    assert operation_info == OperationInfo(operation="op")
    with pytest.raises(AttributeError):
        operation_info.read = True  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        OperationInfo("op")  # type: ignore[misc]


def test_a_plan_for_each_breaker_of_a_keyed_policy() -> None:
    """It has the breaker everywhere and all else in common; a few are kept, and none refers to itself."""
    plan = new_plan({"quota": [{"rate": 1, "burst": 1}]})
    breakers = [Breaker(BreakerSettings(), FakeClock().monotonic, key=str(number)) for number in range(100)]
    copies = [plan.with_breaker(breaker) for breaker in breakers]
    assert plan.with_breaker(None) is plan
    assert plan.with_breaker(breakers[-1]) is copies[-1]
    assert copies[-1].with_breaker(breakers[-1]) is copies[-1]
    for breaker, copy in zip(breakers, copies, strict=True):
        assert (copy.breaker, copy.gate.breaker) == (breaker, breaker)
        assert copy.gate.emit_breaker_events is copy.emit_breaker_events
        assert (copy.quotas, copy.counts, copy.rejections) == (plan.quotas, plan.counts, plan.rejections)
    assert (plan.breaker, plan.gate.breaker, len(plan._by_breaker)) == (None, None, 36)
    assert not any(copy._by_breaker for copy in copies)
