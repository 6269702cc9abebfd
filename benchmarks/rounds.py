"""Measures and reports for every benchmark: interleaved rounds, minimum and median, ratios, Markdown tables.

The rows of a table take turns in each round, so that a busy machine slows all of them alike. A ratio is the median of
the ratios of the rounds. Rounds are short, only the processor time of this thread is counted, and the garbage collector
is off while a row runs.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
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
    """The nanoseconds per call of one row, one figure per round."""

    rounds: list[float] = field(default_factory=list)

    @property
    def minimum(self) -> float:
        return min(self.rounds)

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)

    def above(self, other: Times) -> Times:
        """Return the difference to another row, round by round."""
        return Times([a - b for a, b in zip(self.rounds, other.rounds, strict=True)])

    def ratio(self, other: Times) -> float:
        """Return the median of the rounds' ratios to another row."""
        # A row without a cost would divide by 0.
        return statistics.median(a / max(b, 1e-9) for a, b in zip(self.rounds, other.rounds, strict=True))


def sync_rounds(rows: dict[str, Callable[[], Any]], *, rounds: int, seconds: float = 0.001) -> dict[str, Times]:
    """Time plain functions; each row runs for about `seconds` per round."""
    times = {name: Times() for name in rows}
    calls = {name: _calls_per_round(lambda n, call=call: _time_calls(call, n), seconds) for name, call in rows.items()}
    for _ in range(rounds):
        for name, call in rows.items():
            times[name].rounds.append(_time_calls(call, calls[name]) / calls[name])
    return times


def async_rounds(
    rows: dict[str, Callable[[], Awaitable[Any]]], *, rounds: int, seconds: float = 0.001
) -> dict[str, Times]:
    """Time coroutine functions on one asyncio loop; each row runs for about `seconds` per round."""

    async def run() -> dict[str, Times]:
        times = {name: Times() for name in rows}
        calls = {}
        for name, call in rows.items():
            # The first calls do work that later ones do not; the second measurement is the one that counts.
            spent = await _time_calls_async(call, 20)
            spent = await _time_calls_async(call, 100)
            calls[name] = max(20, int(100 * seconds * 1e9 / max(spent, 1)))
        for _ in range(rounds):
            for name, call in rows.items():
                times[name].rounds.append(await _time_calls_async(call, calls[name]) / calls[name])
        return times

    return asyncio.run(run())


def _calls_per_round(time_calls: Callable[[int], float], seconds: float) -> int:
    time_calls(20)  # the first calls do work that later ones do not
    return max(20, int(200 * seconds * 1e9 / max(time_calls(200), 1)))


def _time_calls(call: Callable[[], Any], number: int) -> float:
    repeats = [None] * number  # iterating a list costs less than a range
    with _collector_off():
        # Processor time of this thread: other programs and threads do not count.
        before = time.thread_time_ns()
        for _ in repeats:
            call()
        return time.thread_time_ns() - before


async def _time_calls_async(call: Callable[[], Awaitable[Any]], number: int) -> float:
    repeats = [None] * number  # iterating a list costs less than a range
    with _collector_off():
        before = time.thread_time_ns()
        for _ in repeats:
            await call()
        return time.thread_time_ns() - before


class _collector_off:  # noqa: N801  # used like a function, in a with statement
    def __enter__(self) -> None:
        # The youngest generation only: a full collection takes longer than a round.
        gc.collect(0)
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.enable()


@dataclass(frozen=True, slots=True)
class Target:
    """A target and the measured figure."""

    what: str
    target: str
    measured: float
    met: bool

    def cells(self) -> tuple[str, str, str, str]:
        figure = f"{self.measured:.3g}" if abs(self.measured) < 1 else f"{self.measured:.2f}"
        return self.what, self.target, figure, "yes" if self.met else "**no**"


def at_most(what: str, limit: float, measured: float, text: str | None = None) -> Target:
    return Target(what, f"at most {text or f'{limit:g}'}", measured, measured <= limit)


def at_least(what: str, limit: float, measured: float) -> Target:
    return Target(what, f"at least {limit:g}", measured, measured >= limit)


def target_table(rows: Iterable[Target]) -> str:
    return table(("what", "target", "measured", "met"), [row.cells() for row in rows])


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; columns of figures are aligned to the right."""
    rows = [[str(cell) for cell in row] for row in rows]
    numeric = [all(_is_figure(row[index]) for row in rows) and index > 0 for index in range(len(header))]
    lines = ["| " + " | ".join(header) + " |", "|" + "|".join("---:" if right else "---" for right in numeric) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def _is_figure(cell: str) -> bool:
    return not cell or cell in {"–", "not seen"} or cell.strip("*~<> ")[:1].isdigit() or cell.startswith("-")


def parse_options(doc: str, **defaults: int) -> argparse.Namespace:
    """Parse the command line that all benchmarks share."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="also write the tables to benchmarks/results/")
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, metavar="N")
    return parser.parse_args()


def report(name: str, title: str, *parts: str, write: bool, command: str = "", by_version: bool = False) -> None:
    """Print the report, and with `write` save it in the results; `by_version` in a file for each version of CPython."""
    text = "\n\n".join((f"# {title}", f"`python -m benchmarks.{command or name}` on {machine()}.", *parts)) + "\n"
    print(text)
    if write:
        RESULTS.mkdir(exist_ok=True)
        version = f"-{sys.version_info[0]}.{sys.version_info[1]}" if by_version else ""
        (RESULTS / f"{name}{version}.md").write_text(text, encoding="utf-8")


def machine() -> str:
    """Describe the machine and the versions of the peers, without the host's name or any path."""
    # The cores that this process may use; a container may have fewer than the machine.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    peers = ", ".join(f"{peer} {number}" for peer in PEERS if (number := _version(peer)))
    kind = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{kind}, {sys.platform}, {platform.machine()}, {cores} cores shared with other programs; {peers}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
