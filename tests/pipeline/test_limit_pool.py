"""Tests of the quotas and slots that the pipelines of one `Policies` share."""

from __future__ import annotations

from resilience import Pipeline, Policy
from resilience.testing import FakeClock


def test_windows_by_key_are_bounded() -> None:
    """With five thousand users, the oldest windows are forgotten."""
    rules = {"rate": 1, "burst": 1, "key": lambda user: user}
    pipeline = Pipeline(Policy(name="p", quota=[rules]), clock=FakeClock())  # type: ignore[arg-type]
    call = pipeline.compile(lambda user: user)
    for user in range(5000):
        call(user)
    assert len(pipeline.shared.limits._quotas) <= 4096


def test_calls_compiled_before_a_change_consume_the_changed_quota() -> None:
    """A function compiled before a change of the quota consumes the quota of today."""
    before = Policy(name="p", quota=[{"rate": "5/m", "burst": 5}])  # type: ignore[arg-type]
    pipeline = Pipeline(before, clock=FakeClock())
    call = pipeline.compile(len)
    call("a")
    after = Policy(name="p", quota=[{"rate": "9/m", "burst": 9}])  # type: ignore[arg-type]
    pipeline.shared.limits.retune({"p": before}, {"p": after})
    for left in (7, 6, 5):
        call("a")
        assert [quota.left(0.0) for quota in pipeline.shared.limits._quotas.values()] == [left]
