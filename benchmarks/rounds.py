"""How every benchmark measures and tells: interleaved rounds, least and median, ratios, a table of Markdown.

The rows of a table take turns in each round, so that a machine that is busy for a while slows all of
them alike; a ratio is the median of the rounds' own ratios. Rounds are short, what is counted is this
thread's own processor time, and the collector is off while a row runs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PEERS = (
    "tenacity", "stamina", "pybreaker", "pyresilience", "interlock-cb", "redress", "hyx", "purgatory", "aiobreaker",
    "backoff", "circuitbreaker", "structlog",
)  # fmt: skip


@dataclass(slots=True)
class Times:
    """The nanoseconds a call of one row took, one figure a round."""

    rounds: list[float] = field(default_factory=list)

    @property
    def least(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def above(self, other: Times) -> Times:
        """Return what is added to another row, round by round."""
        return Times([a - b for a, b in zip(self.rounds, other.rounds, strict=True)])

    def ratio(self, other: Times) -> float:
        """Return the median of the rounds' ratios to another row."""
        return statistics.median(a / max(b, 1e-9) for a, b in zip(self.rounds, other.rounds, strict=True))


def sync_rounds(rows: dict[str, Callable[[], Any]], *, rounds: int, seconds: float = 0.001) -> dict[str, Times]:
    """Time plain functions; each row runs for about `seconds` a round."""
    times = {name: Times() for name in rows}
    number = {name: _number(lambda n, call=call: _spin(call, n), seconds) for name, call in rows.items()}
    for _ in range(rounds):
        for name, call in rows.items():
            times[name].rounds.append(_spin(call, number[name]) / number[name])
    return times


def async_rounds(
    rows: dict[str, Callable[[], Awaitable[Any]]], *, rounds: int, seconds: float = 0.001
) -> dict[str, Times]:
    """Time coroutine functions on one asyncio loop; each row runs for about `seconds` a round."""

    async def run() -> dict[str, Times]:
        times = {name: Times() for name in rows}
        number = {}
        for name, call in rows.items():
            spent = await _aspin(call, 20)
            spent = await _aspin(call, 100)
            number[name] = max(20, int(100 * seconds * 1e9 / max(spent, 1)))
        for _ in range(rounds):
            for name, call in rows.items():
                times[name].rounds.append(await _aspin(call, number[name]) / number[name])
        return times

    return asyncio.run(run())


def _number(spin: Callable[[int], float], seconds: float) -> int:
    spin(20)  # what is made at the first call is not the subject
    return max(20, int(200 * seconds * 1e9 / max(spin(200), 1)))


def _spin(call: Callable[[], Any], number: int) -> float:
    counted = [None] * number
    with _collector_off():
        before = time.thread_time_ns()
        for _ in counted:
            call()
        return time.thread_time_ns() - before


async def _aspin(call: Callable[[], Awaitable[Any]], number: int) -> float:
    counted = [None] * number
    with _collector_off():
        before = time.thread_time_ns()
        for _ in counted:
            await call()
        return time.thread_time_ns() - before


class _collector_off:  # noqa: N801  # read as a phrase
    def __enter__(self) -> None:
        gc.collect(0)
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()


@dataclass(frozen=True, slots=True)
class Demand:
    """One line of what is demanded beside what was measured."""

    what: str
    demanded: str
    measured: float
    kept: bool

    def cells(self) -> tuple[str, str, str, str]:
        shown = f"{self.measured:.3g}" if abs(self.measured) < 1 else f"{self.measured:.2f}"
        return self.what, self.demanded, shown, "yes" if self.kept else "**no**"


def at_most(what: str, limit: float, measured: float, shown: str | None = None) -> Demand:
    return Demand(what, f"at most {shown or f'{limit:g}'}", measured, measured <= limit)


def at_least(what: str, limit: float, measured: float) -> Demand:
    return Demand(what, f"at least {limit:g}", measured, measured >= limit)


def demands(rows: Iterable[Demand]) -> str:
    return table(("what", "demanded", "measured", "kept"), [row.cells() for row in rows])


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table of Markdown; figures stand right."""
    rows = [[str(cell) for cell in row] for row in rows]
    right = [all(_figure(row[at]) for row in rows) and at > 0 for at in range(len(header))]
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join("---:" if one else "---" for one in right) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _figure(cell: str) -> bool:
    return not cell or cell in {"–", "not seen"} or cell.strip("*~<> ")[:1].isdigit() or cell.startswith("-")


def options(doc: str, **defaults: int) -> argparse.Namespace:
    """Read the command line that all benchmarks share."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="also write the tables to benchmarks/results/")
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
    return parser.parse_args()


def report(name: str, title: str, *parts: str, write: bool, command: str = "") -> None:
    """Print the parts; write them to the results only when told to."""
    text = "\n\n".join((f"# {title}", f"`python -m benchmarks.{command or name}` on {machine()}.", *parts)) + "\n"
    print(text)
    if write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")


def machine() -> str:
    """Say in words what this ran on: no host, no path."""
    import os

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = ", ".join(f"{peer} {number}" for peer in PEERS if (number := _version(peer)))
    kind = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{kind}, {sys.platform}, {platform.machine()}, {cores} cores that are shared with others; {found}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
