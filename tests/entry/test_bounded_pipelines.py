"""A program may name its operations as it likes, with ids in them, without filling memory."""

from __future__ import annotations

from resilience import Policies
from resilience._entry.active_policies import MAX_PIPELINES
from resilience.testing import FakeClock


def test_pipelines_by_operation_name_are_bounded() -> None:
    """The oldest pipelines are forgotten; breaker and budget are those of the policy, and survive that."""
    policies = Policies.from_mapping({"policies": {"p": {"breaker": {"consecutive": 3}}}}, clock=FakeClock())
    first = policies.current_pipeline("p", "order 0")
    breaker = first.breaker
    for number in range(MAX_PIPELINES + 10):
        policies.current_pipeline("p", f"order {number}")
    assert len(policies._active._loaded.pipelines) <= MAX_PIPELINES
    again = policies.current_pipeline("p", "order 0")
    assert again is not first
    assert again.breaker is breaker
