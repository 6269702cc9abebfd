"""Comparing policies: the figures, the verdicts, and runs in other processes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from resilience import Policies, Policy, simulate
from resilience.simulate import Errors, Incident, RunMonitor, Scenario
from resilience.simulate.figures import percentile
from resilience.simulate.parallel_runs import run_jobs
from resilience.simulate.policy_comparison import Comparison, Job, Run, run_job
from resilience.simulate.verdict import judge

pytestmark = pytest.mark.slow

SMALL: dict[str, Any] = {"clients": 4, "rate": 10, "capacity": 60}
BROWNOUT = Scenario(**SMALL, incidents=(Incident(start=5, end=25, share=0.5, kind="error"),), lasts=35)
OUTAGE = Scenario(**SMALL, incidents=(Incident(start=12, end=32),), lasts=45)
RETRIES = Policy(name="retries", deadline="30s", retry={"max_attempts": 5})


def built_in(name: str = "default") -> Policy:
    """Return a built-in policy."""
    return Policies.builtin().policy(name)


def compared(scenario: Scenario, *policies: Policy) -> Comparison:
    """Run policies, and the baseline."""
    runs = run_jobs([Job(one.name, one, scenario, 3) for one in policies] + [Job("none", None, scenario, 3)])
    return Comparison(scenario, 3, tuple(runs[:-1]), runs[-1])


@pytest.fixture(scope="module")
def outage() -> Comparison:
    """The built-in policy, and retries alone, in an outage."""
    return compared(OUTAGE, built_in(), RETRIES)


def test_the_same_requests_for_all(outage: Comparison) -> None:
    """Every policy and the baseline get the same load at the same instants."""
    assert outage.baseline is not None
    offered = {tuple(one.series.offered) for one in (*outage.runs, outage.baseline)}
    assert len(offered) == 1
    assert outage.baseline.figures.attempts == outage.baseline.figures.offered


def test_series_of_breakers_and_budgets(outage: Comparison) -> None:
    """All breakers are open while the service hangs and closed before; the budget is exhausted and refilled."""
    one = outage.runs[0]
    series, step = one.series, one.series.step
    assert one.figures.opened >= 4
    assert one.figures.rejected > one.figures.exhausted > 0
    assert series.open is not None
    assert series.half_open is not None
    assert series.budget is not None
    both = [a + b for a, b in zip(series.open, series.half_open, strict=True)]
    assert max(both[: int(12 / step)]) == 0
    assert min(both[int(26 / step) : int(31 / step)]) == pytest.approx(1)
    assert both[-1] == 0
    left = [value for value in series.budget if value is not None]
    assert min(left) < 1 < left[0] < max(left)


def test_runs_without_breaker_and_budget_have_no_series_of_them(outage: Comparison) -> None:
    """A policy without a breaker and a budget has None in place of their series."""
    retries = outage.runs[1]
    assert (retries.series.open, retries.series.budget, retries.figures.opened) == (None, None, 0)


def test_verdicts(outage: Comparison) -> None:
    """The built-in policy spares a failing service and recovers soon; plain retries multiply its load."""
    ours, retries = (outage.verdict(one) for one in outage.runs)
    assert ours.grade == "good"
    assert "The failing service is spared: it gets 0." in ours.text
    assert retries.grade == "harmful"
    assert "Retries multiply the load on the failing service by 4" in retries.text


def test_a_brownout_is_judged_beside_no_policy() -> None:
    """A policy under which more requests succeed than without one, at a small cost, is good."""
    judged = compared(BROWNOUT, built_in())
    result = judged.verdict(judged.runs[0])
    assert result.grade == "good"
    assert result.reasons[0][1].endswith("% without a policy")


def test_errors_taken_for_successes() -> None:
    """A policy that does not know the codes of the API is harmful; one that knows them retries."""
    mix = Scenario(**SMALL, errors=Errors(registry="bitget", codes={"40725": 0.1, "43012": 0.05}), lasts=20)
    judged = compared(mix, built_in("default"), built_in("bitget"))
    blind, knowing = judged.runs
    assert blind.figures.deceived > 0.1 * blind.figures.offered
    assert judged.verdict(blind).grade == "harmful"
    assert "`codes` of the policy lacks the registry" in judged.verdict(blind).text
    assert knowing.figures.deceived == 0
    assert knowing.figures.success > blind.figures.success + 0.05
    assert judged.verdict(knowing).grade == "good"


def test_an_uncertain_write_is_not_sent_again() -> None:
    """The scenario sets whether a request may be sent twice, and the pipeline obeys."""
    read, write = (run_job(Job("a", RETRIES, replace(BROWNOUT, idempotent=one))).figures for one in (True, False))
    assert read.attempts > 1.3 * read.offered
    assert write.attempts == write.offered


def test_processes_change_nothing() -> None:
    """Runs in other processes have the same results, and each second ticks once."""
    jobs = [Job("a", built_in(), replace(BROWNOUT, clients=2), seed) for seed in (1, 2)]
    seconds: Counter[str] = Counter()
    here = run_jobs(jobs, lambda: seconds.update(["here"]), processes=1)
    there = run_jobs(jobs, lambda: seconds.update(["there"]), processes=2)
    assert here == there
    assert seconds["here"] == seconds["there"] == 2 * 34


def test_a_frozen_program_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its children could begin the program anew: all runs are made here."""
    monkeypatch.setattr("sys.frozen", True, raising=False)
    monkeypatch.setattr("resilience.simulate.parallel_runs.get_context", None)
    jobs = [Job("a", built_in(), replace(BROWNOUT, clients=1), seed) for seed in (1, 2)]
    assert len(run_jobs(jobs, processes=2)) == 2


def test_plain_data(outage: Comparison) -> None:
    """Everything is returned as plain data, with a verdict for each policy."""
    result = outage.plain()
    assert [one["policy"] for one in result["policies"]] == ["default", "retries"]
    assert result["policies"][1]["verdict"]["grade"] == "harmful"
    assert result["scenario"]["incidents"][0]["kind"] == "hang"
    assert result["baseline"]["series"]["open"] is None
    lengths = {len(values) for values in result["policies"][0]["series"].values() if isinstance(values, list)}
    assert lengths == {int(OUTAGE.lasts / result["policies"][0]["series"]["step"])}


def test_a_recovery_after_the_end_of_the_run() -> None:
    """A service that queues does not recover under plain retries, and the verdict says so."""
    judged = compared(replace(OUTAGE, overload="queue", capacity=50.0), RETRIES)
    assert judged.runs[0].figures.recovery is None
    assert (
        "Requests had not recovered when the run ended, 13 s after the incident" in judged.verdict(judged.runs[0]).text
    )


def test_nothing_to_judge() -> None:
    """A calm run without a comparison is judged by its answers alone."""
    calm = Scenario(**SMALL, lasts=5)
    run: Run = run_job(Job("a", built_in(), calm))
    assert judge(run.figures, None, calm) == ("good", (("good", "100.0% of the requests got a good answer"),))
    assert run.figures.incident is None
    assert not run.figures.recovers


def test_percentiles() -> None:
    """The value at the share's position; None of an empty list."""
    values = [float(one) for one in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7.0], 0.99)) == (51.0, 100.0, 7.0)
    assert percentile([], 0.5) is None


def test_a_monitor_without_budgets_has_no_levels() -> None:
    """Without a budget, sampling records nothing."""
    monitor = RunMonitor()
    monitor.sample(1.0)
    assert monitor.budget_levels == []


@pytest.mark.parametrize(
    ("old", "new"), [("Trouble", "Incident"), ("Watch", "RunMonitor"), ("governed", "policy_client")]
)
def test_names_of_0_1(old: str, new: str) -> None:
    """Names of 0.1 still work, and a warning names the new one."""
    with pytest.warns(DeprecationWarning, match=f"resilience.simulate.{old} is now {new}"):
        assert getattr(simulate, old) is getattr(simulate, new)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = simulate.Nothing
