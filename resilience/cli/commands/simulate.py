"""Simulates policies against a failing service, on virtual time.

Runs the real pipeline on virtual time against a modelled service: the same requests under each policy, and without a
policy as the baseline. Prints a table; --report writes one HTML file with charts. Exit code 1 if a file has mistakes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..simulation_jobs import baseline_job, simulation_jobs
from ..terminal import progress_bar, show_json, show_line, show_table, show_text

if TYPE_CHECKING:
    from ...simulate.policy_comparison import Comparison, Job, Run

__all__ = ["add_arguments", "run"]

_COLUMNS = (
    "policy", "offered", "attempts per request", "success", "good", "p50", "p95", "p99", "recovered in",
    "breaker opened", "budget exhausted", "rejected",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="a policy file; default: the built-in policies")
    parser.add_argument("--scenario", default="outage", metavar="NAME|FILE", help="what happens; default: outage")
    parser.add_argument("--policy", action="append", metavar="P", help="a policy; may be given several times")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of all randomness; default: 1")
    parser.add_argument(
        "--scale",
        type=_share,
        default=1.0,
        metavar="X",
        help="share of clients and service, such as 10%%; default: 100%%",
    )
    parser.add_argument("--report", metavar="OUT.html", help="write a report with charts")
    parser.add_argument("--no-baseline", action="store_true", help="leave out the clients without a policy")
    parser.add_argument("--no-bare", action=_OldNoBaseline, nargs=0, help=argparse.SUPPRESS)
    parser.add_argument("--list", action="store_true", help="list the shipped scenarios")
    parser.add_argument("--json", action="store_true", help="print JSON")


class _OldNoBaseline(argparse.Action):
    """Accepts the spelling of version 0.1 and warns."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: object) -> None:
        show_line(f"{parser.prog}: --no-bare is now called --no-baseline", out=sys.stderr)
        namespace.no_baseline = True


def run(args: argparse.Namespace) -> int:
    """Simulate and print; 2 if the report cannot be written."""
    from ...simulate.scenario_files import read_scenario

    if args.list:
        return _list_scenarios(json=args.json)
    scenario, old_keys = read_scenario(args.scenario)
    for problem in old_keys:
        show_line(str(problem), out=sys.stderr)
    whole, scenario = scenario, scenario.scaled(args.scale)
    _tell_scale(whole.clients, scenario.clients, args.scale)
    jobs = simulation_jobs(args.files, args.policy or (), scenario, args.seed)
    # A long run must not end with a report that cannot be written.
    if args.report is not None and (reason := _why_unwritable(Path(args.report))):
        show_line(f"resilience simulate: --report {args.report}: {reason}", out=sys.stderr)
        return 2
    comparison = _simulate(jobs, args.seed, baseline=not args.no_baseline)
    if args.report is not None:
        from ...simulate.report import render_page

        Path(args.report).write_text(render_page(comparison), encoding="utf-8")
    _show(comparison, json=args.json, report=args.report)
    return 0


def _tell_scale(whole: int, clients: int, share: float) -> None:
    """Say what is simulated if the share that was asked for gives no whole number of clients."""
    if abs(clients - whole * share) > 1e-6:
        message = f"{share * 100:.3g}% of {whole} clients is no whole number: {clients} simulated"
        show_line(f"resilience simulate: --scale: {message}", out=sys.stderr)


def _show(comparison: Comparison, *, json: bool, report: str | None) -> None:
    if json:
        show_json(comparison.plain())
        return
    _print_table(comparison)
    if report is not None:
        print(f"\nreport: {report}")


def _list_scenarios(*, json: bool) -> int:
    from ...simulate.scenario_files import load_scenario, shipped_scenarios

    rows = [(name, load_scenario(name).title) for name in shipped_scenarios()]
    if json:
        show_json([{"name": name, "title": title} for name, title in rows])
    else:
        show_table(("scenario", "what happens"), rows)
    return 0


def _why_unwritable(path: Path) -> str:
    """Say why a report cannot be written there, before a long run begins; empty if it can."""
    if path.is_dir():
        return "is a folder"
    if not path.parent.is_dir():
        return f"no such folder: {path.parent}"
    existed = path.exists()
    try:
        path.open("a").close()
        if not existed:
            path.unlink()  # so that an interrupted run leaves no empty page
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    return ""


def _simulate(jobs: list[Job], seed: int, *, baseline: bool) -> Comparison:
    from ...simulate.parallel_runs import run_jobs
    from ...simulate.policy_comparison import Comparison

    scenario = jobs[0].scenario
    all_jobs = [*jobs, baseline_job(scenario, seed)] if baseline else jobs
    with progress_bar("simulating", int(scenario.lasts) * len(all_jobs)) as tick:
        runs = run_jobs(all_jobs, tick)
    return Comparison(scenario, seed, tuple(runs[: len(jobs)]), runs[-1] if baseline else None)


def _print_table(comparison: Comparison) -> None:
    title = f"{comparison.scenario.title} (seed {comparison.seed})"
    show_table(_COLUMNS, [_row(run) for run in comparison.all_runs], title=title)
    print()
    for run in comparison.runs:
        verdict = comparison.verdict(run)
        show_text(f"{run.name}: {verdict.grade}. {verdict.text}")


def _row(run: Run) -> list[object]:
    from ...simulate.number_format import format_count, format_recovery, format_seconds, format_share

    figures = run.figures
    return [
        run.name,
        format_count(figures.offered),
        f"{figures.attempts_per_request:.2f}",
        format_share(figures.success),
        format_share(figures.good),
        format_seconds(figures.p50),
        format_seconds(figures.p95),
        format_seconds(figures.p99),
        format_recovery(figures),
        format_count(figures.opened) if run.breaker else None,
        format_count(figures.exhausted) if run.budget else None,
        format_count(figures.rejected),
    ]


def _share(text: str) -> float:
    from ..._core.policy.units import parse_ratio

    share = parse_ratio(text)
    if share is None and text.replace(".", "", 1).isdecimal():
        share = float(text)
        # 5 may be meant as 5 % or as five times as many.
        if share > 1:
            raise argparse.ArgumentTypeError(f"expected {share:g}% or {share * 100:g}%, got {text!r}")
    if share is None or not 0 < share <= 10:
        raise argparse.ArgumentTypeError(f"expected a share such as 10%, up to 1000%, got {text!r}")
    return share
