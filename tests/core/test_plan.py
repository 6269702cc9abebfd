"""Tests of a pipeline resolved for one operation."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from resilience import ApiError, Pipeline, Policy
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.plan import Plan
from resilience._core.call.reconcile import Fence
from resilience._core.call.steps import FailedCall
from resilience.testing import FakeClock


def plan(policy: dict[str, Any] | None = None, skip: int = 0, **info: Any) -> Plan:
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
    """An uncertain write, and the goal of a harmless one; a read changes nothing."""
    one = plan(**info)
    assert (one.idempotent, one.reconcilable, one.confirmable) == (idempotent, reconcilable, confirmable)


def test_what_a_policy_leaves_out() -> None:
    """Neither limits nor gates, and the API's own bounds."""
    one = plan()
    assert (one.deadline, one.attempt_timeout, one.needs_gate, one.rate_window, one.keys) == (
        inf,
        inf,
        False,
        None,
        None,
    )
    assert (one.fence, one.window, one.wait_for_breaker, one.new_stamps()) == (Fence(), None, False, [])
    assert (one.weights((), {}), one.quota_ready_at(3.0, (), {}), one.pay_at_once(3.0)) == ((), 3.0, None)
    limited = plan({"deadline": 9, "attempt_timeout": 3, "reconcile": {"window": 4}, "breaker": {"when_open": "wait"}})
    assert (limited.deadline, limited.attempt_timeout, limited.window, limited.wait_for_breaker) == (
        9.0,
        3.0,
        4.0,
        True,
    )
    assert plan({"breaker": {"when_open": "wait_retries"}}).wait_for_breaker is False


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
    """Other attempts may begin until the deadline."""
    assert plan({"attempt_timeout": 3}, **info).fits_deadline(at, 10.0) is fits_deadline
    assert plan(**info).fits_deadline(9.9, 10.0)
    assert not plan(**info).fits_deadline(10.0, 10.0)


def test_lanes() -> None:
    """By name or by a function of the arguments, ours left out; a lane above the default one has high priority."""
    lanes = {"admission": {"lanes": {"entry": {"priority": 1}, "bulk": {"priority": -1}, "plain": {}}}}
    assert (plan(lanes).lane((), {}), plan(lanes).high_priority((), {})) == ("", False)
    found = {name: plan(lanes, lane=name).high_priority((), {}) for name in ("entry", "bulk", "plain", "cancel", "odd")}
    assert found == {"entry": True, "bulk": False, "plain": False, "cancel": True, "odd": False}
    asked = plan(lanes, skip=1, lane=lambda args, kwargs: kwargs.get("lane") or args[0])
    assert (asked.lane(("self", "entry"), {}), asked.lane(("self", "x"), {"lane": "bulk"})) == ("entry", "bulk")
    assert plan(lanes, lane=lambda args, kwargs: None).lane((), {}) == ""
    assert plan(lane="cancel").high_priority((), {})


def test_what_the_quotas_would_let_go() -> None:
    """The latest of all windows, without taking anything; an urgent lane sees the reserve too."""
    one = plan({"quota": [{"rate": 1, "burst": 1}, {"rate": 1, "burst": 2, "weight": None}]})
    assert one.quota_ready_at(0.0, (), {}) == 0.0
    assert one.quotas is not None
    one.quotas.entries[0].common.take(0.0)
    assert (one.quota_ready_at(0.5, (), {}), one.quota_ready_at(2.0, (), {})) == (1.0, 2.0)
    weighed = plan({"quota": [{"rate": 1, "burst": 5, "weight": lambda n, by=1: n * by}]}, skip=1)
    assert (weighed.weights(("self", 2), {"by": 2}), weighed.quota_ready_at(0.0, ("self", 6), {})) == ((4,), inf)
    kept = {"quota": [{"rate": 1, "burst": 2, "reserve": 0.5}]}
    for lane, at in ((None, 2.0), ("cancel", 0.0)):
        one = plan(kept, lane=lane)
        assert one.quotas is not None
        one.quotas.entries[0].common.take(0.0)
        assert one.quota_ready_at(0.0, (), {}) == at


def test_a_first_attempt_is_sent_at_once_where_several_windows_allow_it() -> None:
    """And the breaker, if any, is closed; admission, a single window or a full one needs the gate."""
    two = [{"rate": 1, "burst": 1}, {"rate": 1, "burst": 2}]
    one = plan({"quota": two})
    assert (one.needs_gate, one.rate_window, one.pay_at_once(0.0), one.pay_at_once(0.0)) == (True, None, True, None)
    assert plan({"quota": two, "admission": {}}).pay_at_once(0.0) is None
    single = plan({"quota": two[:1]})
    assert (single.rate_window is not None, single.pay_at_once(0.0)) == (True, None)
    assert plan({"quota": two[:1], "admission": {}}).rate_window is None
    assert plan({"admission": {}}).needs_gate
    guarded = plan({"quota": two, "breaker": {}})
    assert guarded.breaker is not None
    assert guarded.pay_at_once(0.0) is guarded.breaker.generation
    guarded.breaker.open()
    assert guarded.pay_at_once(9.0) is None
    assert guarded.quotas is not None
    assert [entry.left(9.0) for entry in guarded.quotas.entries] == [1, 2]


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
def test_the_policy_sets_bounds_in_the_place_of_the_apis(rules: Any, info: Any, fence: Fence) -> None:
    """A window that a signed request does not carry changes nothing about what the server accepts."""
    assert plan({"reconcile": rules}, **info).fence == fence


class Answer:
    """An answer with a status."""

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def failed(answer: Any) -> bool:
    """Tell whether an answer is a failure."""
    return isinstance(answer, Answer) and answer.status_code >= 500


def test_what_is_returned_is_inspected() -> None:
    """None for a good answer; else the error in it, or the answer itself where the caller gets it back."""
    error = {"code": "43012", "msg": "m"}
    one = plan({"codes": ("bitget", "http")}, is_error_response=failed)
    bad, good = Answer(503), Answer(200)
    assert (
        one.inspect_result("text"),
        one.inspect_result([error]),
        one.inspect_result(good),
        one.inspect_result(bad),
    ) == (None, None, None, bad)
    found = one.inspect_result(error)
    assert isinstance(found, ApiError)
    assert found.code == "43012"
    for silent in (
        plan({"codes": ("bitget",), "classify_results": False}, is_error_response=failed),
        plan({"codes": ("bitget",)}, is_error_response=failed, classify_results=False),
    ):
        assert (silent.inspect_result(error), silent.inspect_result(bad)) == (None, None)
    assert plan({"codes": ("bitget",)}).inspect_result(bad) is None


def test_a_coroutine_that_is_not_awaited_is_a_mistake() -> None:
    """It is closed, and reported with the operation's name."""

    async def later() -> None:
        """Never run."""

    found = plan().inspect_result(later())
    assert isinstance(found, TypeError)
    assert str(found) == "op returned a coroutine: wrap it as an async function"


def test_reported_limits_reach_the_quotas() -> None:
    """By our clock."""
    one = plan({"quota": [{"rate": 1, "burst": 9}]})
    one.clock.advance(5)  # type: ignore[attr-defined]
    one.report_limits(remaining=2)
    one.report_limits(hold=3)
    assert one.quotas is not None
    assert (one.quotas.entries[0].left(8.0), one.quotas.entries[0].held_until) == (2, 8.0)


def test_a_call_begins_before_its_first_attempt() -> None:
    """Nothing was tried, nothing was sent."""
    one = FailedCall("op", (1,), {"two": 2}, "k")
    assert (one.operation, one.args, one.kwargs, one.key) == ("op", (1,), {"two": 2}, "k")
    assert (one.attempt, one.failure, one.sent_at) == (0, None, None)


def test_the_defaults_of_a_function() -> None:
    """It is a write of its own name, without key, lookup, host or table."""
    one = OperationInfo(operation="op")
    said = [getattr(one, name) for name in one.__dataclass_fields__]
    assert said == [
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
        list,
    ]
    assert one == OperationInfo(operation="op")
    with pytest.raises(AttributeError):
        one.read = True  # type: ignore[misc]
    with pytest.raises(TypeError, match="positional"):
        OperationInfo("op")  # type: ignore[misc]
