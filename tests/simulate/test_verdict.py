"""The verdict: true for quiet clients and short runs, and never silent about a loss."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from resilience import Policies, Policy
from resilience.simulate import Incident, Scenario
from resilience.simulate.policy_comparison import Comparison, Job, run_job
from resilience.simulate.verdict import Verdict, judge

QUIET: dict[str, Any] = {"clients": 1, "capacity": 1000, "latency": 0.05, "patience": 3, "lasts": 120}
OUTAGE = Incident(start=20, end=40, kind="refuse")
DEFAULT, ONE_ATTEMPT = Policies.builtin().policy("default"), Policy(name="one attempt")


def compared(scenario: Scenario, policy: Policy = DEFAULT) -> Comparison:
    """Run a policy, and the baseline."""
    ours, baseline = (run_job(Job("a", one, scenario, 1)) for one in (policy, None))
    return Comparison(scenario, 1, (ours,), baseline)


def verdict(scenario: Scenario, policy: Policy = DEFAULT) -> Verdict:
    """Return the verdict on a policy beside no policy."""
    judged = compared(scenario, policy)
    return judged.verdict(judged.runs[0])


@pytest.mark.parametrize("rate", [0.05, 0.2, 1, 3])
@pytest.mark.parametrize("kind", ["refuse", "hang", "error"])
def test_a_quiet_bot_recovers(rate: float, kind: Any) -> None:
    """A bot that asks every few seconds is well again with its next request, with a policy and without one."""
    judged = compared(Scenario(**QUIET, rate=rate, incidents=(replace(OUTAGE, kind=kind),)), ONE_ATTEMPT)
    result = judged.verdict(judged.runs[0])
    assert result.grade == "good"
    assert "Requests recovered at once" in result.text
    for run in judged.all_runs:
        assert run.figures.recovery == run.figures.first_request


def test_three_attempts_of_a_quiet_bot_are_no_storm() -> None:
    """The load of a handful of requests is named, but it harms nobody; that of many requests does."""
    eager = Policy(name="eager", deadline="30s", retry={"max_attempts": 5})
    quiet = verdict(Scenario(**QUIET, rate=0.2, incidents=(OUTAGE,)), eager)
    assert (quiet.grade, "multiply the load on the failing service by 5.0" in quiet.text) == ("mixed", True)
    assert verdict(Scenario(**QUIET, rate=3, incidents=(OUTAGE,)), eager).grade == "harmful"


@pytest.mark.parametrize(("rate", "named"), [("3/s", True), ("4/s", False)])
def test_a_quota_that_delays_calls_is_named(rate: str, named: bool) -> None:
    """The other reasons follow from the quota where it allows no more attempts than there are requests."""
    policy = Policy(name="limited", deadline="10s", quota=[{"rate": rate}])
    result = verdict(Scenario(**QUIET | {"lasts": 20}, rate=3), policy)
    assert ("The quota allows 3 attempts per second, and a client of the scenario makes 3" in result.text) is named


@pytest.mark.parametrize(
    ("lasts", "text"),
    [
        (41.5, "The run ends 1.5 s after the incident, too early to see whether requests recover"),
        (46, "Requests were good for 3.5 s at the end of the run, too short to call them recovered"),
        (50, "Requests recovered at once"),
    ],
)
def test_a_short_run(lasts: float, text: str) -> None:
    """A run that ends soon after the incident is said to be too short; nobody is blamed for it."""
    result = verdict(Scenario(**{**QUIET, "lasts": lasts}, incidents=(OUTAGE,), rate=1), ONE_ATTEMPT)
    assert text in result.text
    assert result.grade == ("good" if lasts == 50 else "mixed")


@pytest.mark.parametrize("changes", [{"rate": 1, "lasts": 3.0}, {"rate": 0.001}])
def test_a_run_without_a_complete_request(changes: dict[str, Any]) -> None:
    """Nothing is said about a policy if no request had its full time."""
    result = verdict(Scenario(**{**QUIET, **changes}))
    assert result == ("mixed", (("mixed", "No request had its full time, so the run says nothing"),))


@pytest.mark.slow
@pytest.mark.parametrize("clients", [1, 20])
def test_a_loss_says_what_it_gained(clients: int) -> None:
    """The breaker costs a few requests after an outage; the verdict says so, and what the service is spared."""
    scenario = Scenario(
        clients=clients, rate=10, capacity=50 * clients, lasts=70, incidents=(Incident(start=20, end=40),)
    )
    judged = compared(scenario)
    assert judged.baseline is not None
    ours, result = judged.runs[0].figures, judged.verdict(judged.runs[0])
    assert ours.success < judged.baseline.figures.success
    assert result.grade == "good"
    assert "over the whole run, " in result.reasons[0][1]
    assert "; in return the service gets " in result.reasons[0][1]


def test_a_loss_that_gains_nothing_is_not_good() -> None:
    """However few requests are lost, a policy that loses them for nothing is not called good."""
    scenario = Scenario(clients=5, rate=10, capacity=100, incidents=(Incident(start=10, end=20, share=0.2),), lasts=40)
    baseline = run_job(Job("none", None, scenario, 1)).figures
    assert baseline.incident is not None
    assert judge(baseline, baseline, scenario).grade == "good"
    for lost, grade in ((0.0001, "mixed"), (0.05, "mixed"), (0.3, "harmful")):
        worse = replace(baseline, success=baseline.success - lost)
        result = judge(worse, baseline, scenario)
        assert result.grade == grade
        assert "; nothing was gained for that" in result.text
        during = {**baseline.incident, "success": baseline.incident["success"] - lost}
        assert judge(replace(baseline, incident=during), baseline, scenario).grade == grade


def test_what_a_loss_may_gain() -> None:
    """Fewer attempts, an earlier failure, quicker answers, a recovery."""
    scenario = Scenario(clients=5, rate=10, capacity=100, incidents=(OUTAGE,), lasts=60)
    base = replace(run_job(Job("none", None, scenario, 1)).figures, to_fail=5.0, recovery=None, good=0.5)
    worse = replace(base, success=base.success - 0.01, to_fail=0.2, recovery=1.0, good=0.6)
    text = judge(worse, base, scenario).text
    assert "a request that fails does so after 200 ms, not 5.0 s" in text
    assert "60% were answered within 2 s, 50% without a policy" in text
    assert "requests recovered, which they did not without a policy" in text


def test_a_slow_recovery_is_judged_beside_no_policy() -> None:
    """A policy is not blamed for a recovery that takes as long without it."""
    scenario = Scenario(clients=5, rate=10, capacity=100, incidents=(OUTAGE,), lasts=90)
    base = run_job(Job("none", None, scenario, 1)).figures
    slow = replace(base, recovery=20.0)
    assert judge(slow, base, scenario).grade == "harmful"
    assert judge(slow, None, scenario).grade == "harmful"
    assert judge(slow, slow, scenario).grade == "mixed"
    assert "; without a policy they had not" in judge(slow, replace(base, recovery=None), scenario).text
