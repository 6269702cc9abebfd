"""A function that is compiled while a reload happens does not bring the old settings back."""

from __future__ import annotations

from typing import Any

from resilience import Policies
from resilience._core.call.operation_info import OperationInfo
from resilience.config.loading.policy_file import from_mapping
from resilience.testing import FakeClock


def test_the_tighter_settings_stand() -> None:
    """Another thread had its pipeline in hand when the file became tighter, and compiles by it afterwards."""

    def says(many: int) -> Any:
        rules = {
            "admission": {"max_concurrent": many}, "breaker": {"consecutive": many},
            "budget": {"ratio": 0, "floor": many}, "quota": [{"rate": f"{many}/s", "burst": many}],
        }  # fmt: skip
        return from_mapping({"policies": {"p": rules}})

    many = [100]
    policies = Policies(says(100), clock=FakeClock(), load=lambda: says(many[0]), log=False)
    assert policies.resilient("p")(lambda: "early")() == "early"
    late = policies.current_pipeline("p", "late")
    many[0] = 10
    policies.reload()
    assert late.compile(lambda: "late", OperationInfo(operation="late"))() == "late"
    shared, policy = policies._shared, policies.policy("p")
    (quota,), (breaker,) = shared.limits._quotas.values(), shared.breakers._recent.values()
    budget, admission = shared._budgets["p"], shared.limits._admissions["p"]
    assert (quota.settings.burst, breaker.settings.consecutive) == (10, 10)
    assert (budget.settings, admission.settings) == (policy.budget, policy.admission)
