"""A function that is compiled during a reload does not bring the old settings back."""

from __future__ import annotations

from pathlib import Path

from resilience import Policies
from resilience._core.call.operation_info import OperationInfo
from resilience.testing import FakeClock


def test_tighter_settings_stay_in_force(tmp_path: Path) -> None:
    """Another thread got its pipeline before the file became tighter, and compiles with it afterwards."""
    path = tmp_path / "bot.yaml"

    def write(limit: int) -> None:
        admission, breaker = f"admission: {{max_concurrent: {limit}}}", f"breaker: {{consecutive: {limit}}}"
        budget, quota = f"budget: {{ratio: 0, floor: {limit}}}", f"quota: [{{rate: {limit}/s, burst: {limit}}}]"
        path.write_text(f"policies: {{p: {{{admission}, {breaker}, {budget}, {quota}}}}}")

    write(100)
    policies = Policies.load(path, clock=FakeClock())
    assert policies.resilient("p")(lambda: "early")() == "early"
    late = policies.current_pipeline("p", "late")
    write(10)
    policies.reload()
    assert late.compile(lambda: "late", OperationInfo(operation="late"))() == "late"
    shared, policy = policies._shared, policies.policy("p")
    (quota,), breaker = shared.limits._quotas.values(), policies.pipeline("p").breaker
    budget, admission = shared._budgets["p"], shared.limits._admissions["p"]
    assert breaker is not None
    assert (quota.settings.burst, breaker.settings.consecutive) == (10, 10)
    assert (budget.settings, admission.settings) == (policy.budget, policy.admission)
