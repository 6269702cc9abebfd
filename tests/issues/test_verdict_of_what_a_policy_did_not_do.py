"""A policy under which calls went exactly as without one was called harmful: the service is too small to get well."""

from resilience import Policy
from resilience.simulate import Incident, Scenario
from resilience.simulate.policy_comparison import Comparison, Job, run_job

SMALL = Scenario(clients=2, rate=10, capacity=20, troubles=(Incident(start=5, end=10, kind="refuse"),), lasts=25)


def test_what_is_no_better_without_it_is_no_harm() -> None:
    """The same figures as without a policy are never harmful, and it is said that they are the same."""
    ours, plain = (run_job(Job("x", policy, SMALL, 1)) for policy in (Policy(name="plain"), None))
    judged = Comparison(SMALL, 1, (ours,), plain).verdict(ours)
    assert (ours.figures.success, ours.figures.recovery) == (plain.figures.success, None)
    assert judged.grade == "mixed"
    assert "after the incident; without a policy they had not either." in judged.text
