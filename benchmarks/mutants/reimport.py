"""Imports each mutant anew in a forked child and runs the tests in it: `python -m benchmarks.mutants.reimport`.

For changes in the body of a module or a class. The third-party packages that the tests need are imported before the
fork, so that a child imports this library and the tests alone. `tests/core` and `tests/config` run first, the other
tests only against mutants that survive them. Slow tests, and tests that fail in a child anyway, are left out.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from .children import KILLED, SURVIVED, Job, Report, limit_time, run_jobs
from .in_place import QUIET, fail_fast
from .modules import PACKAGE, core_modules
from .patching import MutantFinder

__all__: list[str] = []

PRELOADED = (
    "aiohttp", "ccxt.async_support", "hypothesis.stateful", "httpx", "jsonschema", "pybreaker", "pydantic", "requests",
    "structlog", "tenacity", "trio", "websockets", "yaml", "rich.console",
)  # fmt: skip
FIRST = ("tests/core", "tests/config")


class TimeLimits:
    """A plugin of pytest that limits the time of each test, reports which one runs, and leaves some out."""

    def __init__(self, report: Report, left_out: set[str], killers: Counter[str]) -> None:
        self._report = report
        self._left_out = left_out
        self._killers = killers

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        fail_fast()
        limit_time(120)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._report(nodeid)
        limit_time(60)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (item for item in items if item.nodeid not in self._left_out), key=lambda item: -self._killers[item.nodeid]
        )


def attempt(job: dict[str, Any], tests: list[str], left_out: set[str], killers: Counter[str]) -> Job:
    """Return the job of one mutant."""

    def run_tests(report: Report) -> int:
        MutantFinder(job["module"], core_modules(Path.cwd())[job["module"]], job["source"])
        first = [path for path in tests if path in FIRST]
        then = [path for path in tests if path not in FIRST]
        for paths in (first, then):
            # Before pytest starts, because pytest's own import hook would take precedence over ours.
            import_module(f"{PACKAGE}.{job['module']}")
            if paths and pytest.main(["-x", *QUIET, *paths], plugins=[TimeLimits(report, left_out, killers)]) != 0:
                return KILLED
            for name in [name for name in sys.modules if name.partition(".")[0] in ("resilience", "tests")]:
                del sys.modules[name]
        return SURVIVED

    return run_tests


def main() -> None:
    """Read the jobs and run them."""
    order = json.loads(Path(sys.argv[1]).read_text())
    for name in PRELOADED:
        with suppress(ImportError):
            import_module(name)
    jobs, record = order["jobs"], json.loads(Path(order["map"]).read_text())
    rows = zip(record["names"], record["spent"], record["passed"], strict=True)
    # A test that fails in a child without any mutant, such as one that needs more memory than a child may have.
    left_out = {name for name, spent, passed in rows if spent > order["slow"] or not passed}
    killers: Counter[str] = Counter()
    with Path(order["results"]).open("a") as results:

        def done(number: int, end: int, killer: str) -> None:
            by = killer if end != SURVIVED else ""
            killers[by] += 1
            print(json.dumps({"id": jobs[number]["id"], "end": end, "by": by}), file=results, flush=True)

        run_jobs((attempt(job, order["tests"], left_out, killers) for job in jobs), order["parallel"], done)


if __name__ == "__main__":
    main()
