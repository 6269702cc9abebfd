"""Test what a first attempt takes at once, without a gate."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Pipeline, Policy
from resilience._core.call.gate_plan import GatePlan
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.quick_gate import new_slot_of, take_at_once_of
from resilience.testing import FakeClock

ONE = [{"rate": 1, "burst": 1}]
TWO: list[dict[str, Any]] = [*ONE, {"rate": 1, "burst": 2}]


def new_gate(policy: dict[str, Any], clock: FakeClock | None = None, **info: Any) -> GatePlan:
    """Return what the gates of an operation need under a policy."""
    pipeline = Pipeline(Policy(name="p", **policy), clock=clock or FakeClock())
    return pipeline.compiler.plan(len, OperationInfo(operation="op", **info)).gate


def take(gate: GatePlan, now: float = 0.0, permit: Any = True) -> Any:
    """Take what an attempt needs, and return its permit, which is None where it needs the gate."""
    new_slot = new_slot_of(gate)
    return take_at_once_of(gate)(permit, now, 50.0, None if new_slot is None else new_slot((), {}, None))


def test_several_windows_are_paid_or_none() -> None:
    """One that is full gives back what the others were paid; the permit is that of the breaker."""
    gate = new_gate({"quota": TWO})
    assert (take(gate, permit=7), take(gate, permit=7), take(gate, 9.0, permit=0)) == (7, None, None)
    assert gate.quotas is not None
    assert [entry.left(0.0) for entry in gate.quotas.entries] == [0, 1]
    gate = new_gate({"quota": TWO[::-1]})
    assert (take(gate), take(gate)) == (True, None)
    assert gate.quotas is not None
    assert [entry.left(0.0) for entry in gate.quotas.entries] == [1, 0]


@pytest.mark.parametrize("quota", [ONE, [{"rate": 1, "burst": 5, "weight": 2}, *ONE]])
def test_what_only_the_gate_pays(quota: list[dict[str, Any]]) -> None:
    """The driver has tried a single window by itself; an attempt that weighs more than one send needs the gate."""
    gate = new_gate({"quota": quota})
    assert (take(gate), new_slot_of(gate)) == (None, None)
    assert gate.quotas is not None
    assert gate.quotas.entries[0].left(0.0) == quota[0]["burst"]


def test_a_slot_is_taken_before_the_quota_is_paid() -> None:
    """Without a slot nothing is paid; where the quota is exhausted, the driver gives the slot back."""
    gate = new_gate({"quota": ONE, "admission": {"max_concurrent": 1}})
    assert gate.admission is not None
    assert gate.quotas is not None
    assert (take(gate), take(gate, 9.0), len(gate.admission.running)) == (True, None, 1)
    assert gate.quotas.entries[0].left(9.0) == 1
    gate.admission.running.clear()
    assert (take(gate), len(gate.admission.running)) == (None, 1)
    alone = new_gate({"admission": {"max_concurrent": 1}})
    assert (take(alone, permit=0), take(alone), take(alone)) == (None, True, None)


def test_the_lane_of_each_call() -> None:
    """A lane that depends on the arguments is found for each call; if that took too long, nothing is taken."""
    clock = FakeClock()

    def lane(args: tuple[Any, ...], _kwargs: Any) -> str | None:
        clock.advance(args[0])
        return "cancel"

    gate = new_gate({"admission": {"max_concurrent": 5}}, clock, lane=lane)
    new_slot, take_at_once = new_slot_of(gate), take_at_once_of(gate)
    assert new_slot is not None
    started = clock.monotonic()
    slot = new_slot((1.0,), {}, None)
    assert (slot.lane.name, take_at_once(True, started, started + 2.0, slot)) == ("cancel", True)
    assert take_at_once(True, started, started + 2.0, new_slot((1.0,), {}, None)) is None
    fixed = new_slot_of(new_gate({"admission": {}}, lane="cancel"))
    assert fixed is not None
    assert fixed((), {}, None).lane.name == "cancel"
