"""Runs one policy under a scenario, and compares the runs of several policies: the data of the table and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .._core.policy.codes import CodeTable
from .._core.policy.policy import Policy
from .clients import Client, RunMonitor, baseline_client, policy_client
from .figures import Figures, compute_figures
from .old_names import renamed_attribute, renamed_keyword
from .run import simulate
from .scenario import Scenario
from .time_series import TimeSeries, compute_series
from .verdict import Verdict, judge

__all__ = ["Comparison", "Job", "Run", "run_job"]


@dataclass(frozen=True, slots=True)
class Job:
    """A run to make: one policy under one scenario.

    Attributes:
        name: the name of the run in reports.
        policy: the policy; None for clients without one.
        scenario: the clients, the service, and what goes wrong.
        seed: the seed of all randomness; the same seed gives the same run.
        file: the file that the policy is from, for reports.
        tables: the code tables that the policy names by path.
    """

    name: str
    policy: Policy | None
    scenario: Scenario
    seed: int = 0
    file: str = ""
    tables: Mapping[str, CodeTable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a job.

    Attributes:
        name: the name of the job.
        file: the file that its policy is from; may be empty.
        figures: what was measured.
        series: the same over time, in seconds of virtual time.
        breaker: whether its policy has a breaker.
        budget: whether its policy has a retry budget.
        quota: the lowest rate per second that its quota allows; None without a quota.
    """

    name: str
    file: str
    figures: Figures
    series: TimeSeries
    breaker: bool
    budget: bool
    quota: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The runs of several policies under one scenario.

    Attributes:
        scenario: the scenario of all runs.
        seed: the seed of all runs.
        runs: one run per policy.
        baseline: the same requests without a policy, or None.
    """

    scenario: Scenario
    seed: int
    runs: tuple[Run, ...]
    baseline: Run | None = None

    bare = renamed_attribute("Comparison", "bare", "baseline")

    @property
    def all_runs(self) -> tuple[Run, ...]:
        """The runs of the policies, then the baseline if there is one."""
        return self.runs if self.baseline is None else (*self.runs, self.baseline)

    def verdict(self, run: Run) -> Verdict:
        """Judge one run against the baseline."""
        baseline = None if self.baseline is None else self.baseline.figures
        return judge(run.figures, baseline, self.scenario, quota=run.quota)

    def plain(self) -> dict[str, Any]:
        """Return everything as plain data, in the shape of `resilience simulate --json`."""
        # `settled` ends a run early and is for benchmarks; it says nothing about the service.
        scenario = {name: value for name, value in asdict(self.scenario).items() if name != "settled"}
        rows = []
        for run in self.runs:
            judged = self.verdict(run)
            rows.append({**_plain_run(run), "verdict": {"grade": judged.grade, "text": judged.text}})
        baseline = None if self.baseline is None else _plain_run(self.baseline)
        return {
            "scenario": scenario,
            "seed": self.seed,
            "policies": rows,
            "baseline": baseline,
            "bare": baseline,  # the name of 0.1, which scripts read
        }


# The dataclass generates __init__, so it is wrapped after the class is made.
Comparison.__init__ = renamed_keyword("Comparison", "bare", "baseline")(Comparison.__init__)  # type: ignore[method-assign]


def _plain_run(run: Run) -> dict[str, Any]:
    return {"policy": run.name, "file": run.file or None, **asdict(run.figures), "series": asdict(run.series)}


def _lowest_rate(policy: Policy | None) -> float | None:
    """Return the lowest rate of the windows that count every operation; None without such a window."""
    windows = () if policy is None else policy.quota
    return min((one.rate for one in windows if not one.operations), default=None)


def run_job(job: Job, tick: Callable[[], None] = lambda: None) -> Run:
    """Make one run, on virtual time: it takes far less time than the scenario lasts.

    Args:
        job: what to run.
        tick: called once per virtual second, such as for a progress bar.
    """
    monitor, scenario, policy = RunMonitor(), job.scenario, job.policy
    client: Client = baseline_client
    if policy is not None:
        client = policy_client(
            policy, idempotent=scenario.idempotent, operation=scenario.operation, tables=job.tables, monitor=monitor
        )
    ticks = 0

    def sample(now: float) -> None:
        nonlocal ticks
        monitor.sample(now)
        while ticks < int(now + 1e-9):  # instants are sums of floats and may be a little too low
            ticks += 1
            tick()

    outcome = simulate(scenario, client, seed=job.seed, on_sample=sample)
    breaker = policy is not None and policy.breaker is not None
    return Run(
        job.name,
        job.file,
        compute_figures(outcome, monitor),
        compute_series(outcome, monitor, breaker=breaker),
        breaker,
        policy is not None and policy.budget is not None,
        _lowest_rate(policy),
    )
