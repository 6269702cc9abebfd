"""Reports the results of mutants: a table by module, and each survivor with the reason why it is harmless."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from ..rounds import table
from .changes import Mutant
from .children import KILLED, SURVIVED, TIMED_OUT
from .runs import Ends

__all__ = ["key_of", "make_report", "stale_reasons"]

MIN_KILLED = 0.95
Reasons = dict[tuple[str, str, str], str]


def make_report(
    chosen: list[Mutant], total: int, ends: Ends, options: argparse.Namespace, minutes: float
) -> tuple[str, bool]:
    """Return the report as Markdown, and whether enough mutants were killed and every survivor has a reason."""
    reasons = _read_reasons()
    finished = [(mutant, ends[index]["end"]) for index, mutant in enumerate(chosen) if index in ends]
    killed = sum(end in (KILLED, TIMED_OUT) for _, end in finished)
    survivors = [mutant for mutant, end in finished if end == SURVIVED]
    unexplained = [mutant for mutant in survivors if key_of(mutant) not in reasons]
    share = killed / max(1, len(finished))
    tests = f"{', '.join(options.tests)}, without tests that take more than {options.slow:g} s of a processor"
    summary = f"{len(finished)} of {total} mutants, {share:.1%} killed, {minutes:.0f} minutes"
    parts = [
        "# Mutants of the core",
        f"`python -m benchmarks.mutants`, with the operators of cosmic-ray: {summary}. Tests: {tests}.",
        table(("module", "mutants", "killed", "survived", "%"), _rows(finished)),
        "## Survivors",
        table(("where", "change", "why it is harmless"), [_survivor_row(mutant, reasons) for mutant in survivors]),
    ]
    return "\n\n".join(parts) + "\n", share >= MIN_KILLED and not unexplained


def key_of(mutant: Mutant) -> tuple[str, str, str]:
    """Return what identifies a mutant when the lines of its module move."""
    return mutant.module, mutant.before, mutant.after


def stale_reasons(sources: Mapping[str, str]) -> list[str]:
    """Return the reasons whose line is no longer in the source of its module, as `module: line`."""
    flat = {
        name: " ".join(line.strip() for line in text.splitlines() if line.strip()) for name, text in sources.items()
    }
    return [f"{module}: {before}" for module, before, _ in _read_reasons() if before not in flat.get(module, "")]


def _read_reasons() -> Reasons:
    rows = yaml.safe_load((Path(__file__).parent / "survivors.yaml").read_text(encoding="utf-8")) or []
    return {(row["module"], row["before"], row["after"]): row["why"] for row in rows}


def _rows(finished: list[tuple[Mutant, int]]) -> Iterator[tuple[object, ...]]:
    for name in [*dict.fromkeys(mutant.module for mutant, _ in finished), None]:
        ends = [end for mutant, end in finished if name in (None, mutant.module)]
        killed = sum(end != SURVIVED for end in ends)
        yield name or "all", len(ends), killed, len(ends) - killed, f"{100 * killed / max(1, len(ends)):.1f}"


def _survivor_row(mutant: Mutant, reasons: Reasons) -> tuple[str, str, str]:
    change = f"`{_cell(mutant.before)}` → `{_cell(mutant.after)}`"
    return mutant.place, change, reasons.get(key_of(mutant), "**not explained**")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")
