"""`resilience simulate`: the real pipeline under a scenario, on virtual time, before money is."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._core.policy.units import parse_ratio
from ...errors import PolicyError
from ..terminal import progress_bar, show_json, show_table

if TYPE_CHECKING:
    from ..._core.policy.policy import PolicySet
    from ...simulate.real_run_comparison import Comparison, Job
    from ...simulate.scenario import Scenario

__all__ = ["register", "run"]

_MOST_RUNS = 12
_COLUMNS = (
    "policy", "offered", "attempts a request", "success", "good", "p50", "p95", "p99", "recovered in", "breaker opened",
    "budget exhausted", "refused",
)  # fmt: skip


def register(subparsers: Any) -> None:
    """Add the command's parser."""
    parser = subparsers.add_parser(
        "simulate",
        help="try policies against a failing service, on virtual time",
        description="Runs the real pipeline on virtual time against a modelled service: the same requests under each "
        "policy, and without any. Prints a table; --report writes one HTML file with charts.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="a policy file (the built-in policies)")
    parser.add_argument("--scenario", default="outage", metavar="NAME|FILE", help="what happens (outage)")
    parser.add_argument("--policy", action="append", metavar="P", help="a policy; may be given several times")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of everything that is drawn (1)")
    parser.add_argument("--scale", type=_share, default=1.0, metavar="X", help="share of clients and service (100%%)")
    parser.add_argument("--report", metavar="OUT.html", help="write a report with charts")
    parser.add_argument("--no-bare", action="store_true", help="leave out the clients without a policy")
    parser.add_argument("--list", action="store_true", help="list the shipped scenarios")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Simulate and print; 1 when a file has mistakes, 2 for wrong use."""
    if args.list:
        return _list(json=args.json)
    try:
        jobs = _jobs(args)
    except PolicyError as error:
        if not error.problems:
            raise  # no such policy, no such scenario: wrong use
        print(error, file=sys.stderr)
        unreadable = all(not one.line and "cannot be read" in one.message for one in error.problems)
        return 2 if unreadable else 1
    if args.report is not None and (told := _unwritable(Path(args.report))):
        print(f"resilience simulate: --report {args.report}: {told}", file=sys.stderr)
        return 2
    found = _simulated(jobs, args.seed, bare=not args.no_bare)
    if args.report is not None:
        from ...simulate.report import page

        Path(args.report).write_text(page(found), encoding="utf-8")
    if args.json:
        show_json(found.plain())
    else:
        _show(found)
        if args.report is not None:
            print(f"\nreport: {args.report}")
    return 0


def _list(*, json: bool) -> int:
    from ...simulate.scenario_files import load_scenario, shipped_scenarios

    rows = [(name, load_scenario(name).title) for name in shipped_scenarios()]
    if json:
        show_json([{"name": name, "title": title} for name, title in rows])
    else:
        show_table(("scenario", "what happens"), rows)
    return 0


def _jobs(args: argparse.Namespace) -> list[Job]:
    """Read the files and return one job for each policy that is to run.

    Raises:
        PolicyError: a file has mistakes, or a policy or a scenario is not there.
    """
    from ...config.loading.policy_file import builtin, load
    from ...simulate.real_run_comparison import Job
    from ...simulate.scenario_files import load_scenario

    scenario = load_scenario(args.scenario).scaled(args.scale)
    jobs: list[Job] = []
    for file, label in _labels(args.files).items():
        made = load(file) if file else builtin()
        names = dict.fromkeys(args.policy or _own(made, builtin(), scenario))
        jobs += [Job(label + name, _policy(made, name), scenario, args.seed, file, made.tables) for name in names]
    if len(jobs) > _MOST_RUNS:
        raise PolicyError(f"{len(jobs)} policies: at most {_MOST_RUNS} can be compared; choose some with --policy")
    return jobs


def _labels(files: Sequence[str]) -> dict[str, str]:
    """Return what stands before a policy's name: the file's stem, or its whole path where two have one stem."""
    given = list(dict.fromkeys(files)) or [""]
    stems = [Path(file).stem for file in given]
    if len(given) == 1:
        return {given[0]: ""}
    return {file: f"{stem if stems.count(stem) == 1 else file}: " for file, stem in zip(given, stems, strict=True)}


def _own(made: PolicySet, below: PolicySet, scenario: Scenario) -> Sequence[str]:
    """Return the policies to run where none is named: the operation's, else all that the file itself defines."""
    from fnmatch import fnmatchcase

    for one in made.operations:
        if one.policy is not None and scenario.operation != "request" and fnmatchcase(scenario.operation, one.match):
            return [one.policy]
    return [name for name, one in made.policies.items() if below.policies.get(name) is not one] or ["default"]


def _policy(made: PolicySet, name: str) -> Any:
    from ..._entry.policies import Policies

    return Policies(made, log=False).policy(name)


def _unwritable(path: Path) -> str:
    """Say why a report cannot be written there, before a long run and not after it; empty when it can."""
    if path.is_dir():
        return "that is a folder"
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    there = path.exists()
    try:
        path.open("a").close()
        if not there:
            path.unlink()  # an interrupted run leaves no empty page
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    return ""


def _simulated(jobs: list[Job], seed: int, *, bare: bool) -> Comparison:
    from ...simulate.file_comparison import run_jobs
    from ...simulate.real_run_comparison import Comparison

    scenario = jobs[0].scenario
    more = [replace(jobs[0], name="no policy", policy=None, file="", tables={})] if bare else []
    with progress_bar("simulating", int(scenario.lasts) * len(jobs + more)) as tick:
        runs = run_jobs(jobs + more, tick)
    return Comparison(scenario, seed, tuple(runs[: len(jobs)]), runs[-1] if bare else None)


def _show(found: Comparison) -> None:
    scenario = found.scenario
    runs = [*found.runs, *([found.bare] if found.bare is not None else [])]
    title = f"{scenario.title} (seed {found.seed})"
    show_table(_COLUMNS, [_cells(one) for one in runs], title=title)
    print()
    for one in found.runs:
        judged = found.verdict(one)
        print(f"{one.name}: {judged.grade}. {judged.text}")


def _cells(run: Any) -> list[object]:
    from ...simulate.phrases import count, recovered, seconds, share

    found = run.figures
    return [
        run.name,
        count(found.offered),
        f"{found.attempts_a_request:.2f}",
        share(found.success),
        share(found.good),
        seconds(found.p50),
        seconds(found.p95),
        seconds(found.p99),
        recovered(found),
        count(found.opened) if run.breaker else None,
        count(found.exhausted) if run.budget else None,
        count(found.refused),
    ]


def _share(text: str) -> float:
    share = parse_ratio(text) or (float(text) if text.replace(".", "", 1).isdecimal() else None)
    if share is None or not 0 < share <= 10:
        raise argparse.ArgumentTypeError(f"expected a share such as 10% up to 1000%, got {text!r}")
    return share
