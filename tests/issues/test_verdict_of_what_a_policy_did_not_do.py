"""A policy was judged harmful although calls went exactly as without one: the service cannot recover."""

from resilience import Policy
from resilience.simulate import Comparison, Incident, Job, Scenario, run_job

SMALL = Scenario(clients=2, rate=10, capacity=20, incidents=(Incident(start=5, end=10, kind="refuse"),), lasts=25)


def test_equal_figures_are_not_harmful() -> None:
    """A policy with the same figures as no policy is judged mixed, and the text says that they are the same."""
    ours, plain = (run_job(Job("x", policy, SMALL, 1)) for policy in (Policy(name="plain"), None))
    judged = Comparison(SMALL, 1, (ours,), plain).verdict(ours)
    assert (ours.figures.success, ours.figures.recovery) == (plain.figures.success, None)
    assert judged.grade == "mixed"
    assert "after the incident; without a policy they had not either." in judged.text
