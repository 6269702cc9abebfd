"""Tests of what attempts pay in a quota that several processes share, while its store does not answer."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from resilience import Policy
from resilience._core.call.attempt_gate import CUT_OFF, AttemptGate
from resilience._core.call.operation_info import OperationInfo
from resilience._core.call.steps import Action, FailedCall
from resilience._core.stages.lease_terms import lease_terms
from resilience._core.stages.leased_window import LeasedWindow
from resilience._pipeline.compiler import PolicyCompiler
from resilience._pipeline.shared_state import SharedState
from resilience.testing import FakeClock

QUOTA: Any = [{"rate": "2/s", "burst": 2, "reserve": 0.0}]
PATIENCE = 0.05


def gate_of(operation: str, within: float = 0.2, quota: Any = QUOTA, processes: int = 8) -> AttemptGate:
    """Return the gate of an attempt in a shared quota, whose store has been lost."""
    terms_of = partial(lease_terms, processes=processes, lease=0.1, patience=PATIENCE)
    shared = SharedState(FakeClock())

    def new_window(_name: object, _lane: str, max_sends: int, span: float) -> LeasedWindow:
        window = LeasedWindow(max_sends, span, terms_of, lambda _window: None)
        window.lose()
        return window

    shared.limits.share(new_window)
    info = OperationInfo(operation=operation)
    compiler = PolicyCompiler(
        Policy(name="p", quota=quota), shared, operation=operation, info=info, stages=(), keep_state=False
    )
    plan = compiler.plan(len, info)
    return AttemptGate(plan.gate, FailedCall(operation, (), {}, None), shared.clock.monotonic() + within)


def test_a_call_waits_for_its_patience_and_is_refused() -> None:
    """The limit is too small for a standing part, and the error says why."""
    gate = gate_of("create_order")
    assert gate.next_step() == (Action.WAIT, PATIENCE)
    assert gate.next_step().action is Action.RAISE
    assert CUT_OFF in str(gate.rejection)


def test_a_cancel_waits_for_its_patience_and_is_sent() -> None:
    """No store refuses it: it goes on credit."""
    gate = gate_of("cancel_order")
    assert gate.next_step() == (Action.WAIT, PATIENCE)
    assert gate.next_step() == (Action.SEND, None)


def test_a_cancel_whose_deadline_is_near_is_sent_at_once() -> None:
    """It does not even wait for its patience."""
    assert gate_of("cancel_order", 0.01).next_step() == (Action.SEND, None)


@pytest.mark.parametrize("lane", ["common", "reserved"])
def test_each_lane_is_a_window_of_its_own(lane: str) -> None:
    """A reserve for high-priority lanes is shared beside the rest."""
    gate = gate_of("create_order", quota=[{"rate": "10/s", "burst": 10, "reserve": 0.2}], processes=1)
    quotas = gate._plan.quotas
    assert quotas is not None
    window = getattr(quotas.entries[0], lane)
    assert isinstance(window, LeasedWindow)
    assert window.max_sends == {"common": 8, "reserved": 2}[lane]
