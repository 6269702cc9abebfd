"""Several policies under one scenario, each run with the same requests: what the report and the table show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .._core.policy.codes import CodeTable
from .._core.policy.policy import Policy
from .clients import Client, Watch, bare, governed
from .figures import Figures, Series, figures, series
from .run import simulate
from .scenario import Scenario
from .verdict import Verdict, verdict

__all__ = ["Comparison", "Job", "Run", "run_job"]


@dataclass(frozen=True, slots=True)
class Job:
    """One run to make: a policy under a scenario. A policy of None is no policy at all."""

    name: str
    policy: Policy | None
    scenario: Scenario
    seed: int = 0
    file: str = ""
    tables: Mapping[str, CodeTable] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a job."""

    name: str
    file: str
    figures: Figures
    series: Series
    breaker: bool
    budget: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """The runs of several policies, and that of clients without one."""

    scenario: Scenario
    seed: int
    runs: tuple[Run, ...]
    bare: Run | None = None

    def verdict(self, run: Run) -> Verdict:
        """Judge one run."""
        return verdict(run.figures, None if self.bare is None else self.bare.figures, self.scenario)

    def plain(self) -> dict[str, Any]:
        """Return everything as plain data."""
        scenario = {name: value for name, value in asdict(self.scenario).items() if name != "settled"}
        rows = []
        for one in self.runs:
            judged = self.verdict(one)
            rows.append({**_told(one), "verdict": {"grade": judged.grade, "text": judged.text}})
        return {
            "scenario": scenario,
            "seed": self.seed,
            "policies": rows,
            "bare": None if self.bare is None else _told(self.bare),
        }


def _told(run: Run) -> dict[str, Any]:
    return {"policy": run.name, "file": run.file or None, **asdict(run.figures), "series": asdict(run.series)}


def run_job(job: Job, tick: Callable[[], None] = lambda: None) -> Run:
    """Make one run; `tick` is called each second of its virtual time."""
    watch, scenario, policy = Watch(), job.scenario, job.policy
    client: Client = bare
    if policy is not None:
        client = governed(
            policy, idempotent=scenario.idempotent, operation=scenario.operation, tables=job.tables, watch=watch
        )
    ticks = 0

    def each(now: float) -> None:
        nonlocal ticks
        watch.sample(now)
        while ticks < int(now + 1e-9):
            ticks += 1
            tick()

    outcome = simulate(scenario, client, seed=job.seed, each=each)
    breaker = policy is not None and policy.breaker is not None
    return Run(
        job.name,
        job.file,
        figures(outcome, watch),
        series(outcome, watch, breaker=breaker),
        breaker,
        policy is not None and policy.budget is not None,
    )
