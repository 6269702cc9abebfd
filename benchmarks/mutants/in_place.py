"""Collects the tests once and runs them against each mutant in a forked child: `python -m benchmarks.mutants.in_place`.

For changes inside functions. First all tests run with the original source, to record which lines each test reaches and
how long it takes. A mutant then meets the tests that reach its lines, up to the first failure: those that killed its
neighbours first, then `tests/core`, then the others. Jobs are read from a JSON file, results are appended to another.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest
from hypothesis import Phase, settings

from .children import KILLED, SURVIVED, Job, Report, limit_time, run_jobs
from .modules import PACKAGE, core_modules
from .patching import changed_functions, patch

__all__ = ["QUIET", "InPlace", "fail_fast"]

QUIET = ("-q", "-p", "no:cacheprovider", "-n", "0", "-p", "no:cov", "--capture=sys", "-m", "not slow and not full",
         "-W", "ignore::pytest.PytestAssertRewriteWarning")  # fmt: skip
"""Options of pytest: all rows of the quick tests, without plugins that start processes or write files."""


def fail_fast() -> None:
    """Have hypothesis stop at the first failing example instead of shrinking it."""
    settings.register_profile(
        "mutants", settings.get_profile("thorough"), phases=[Phase.explicit, Phase.generate], database=None
    )
    settings.load_profile("mutants")


class InPlace:
    """A plugin of pytest that runs the collected tests once as they are, and then for each mutant."""

    def __init__(
        self,
        jobs: list[dict[str, Any]],
        results: Path,
        *,
        parallel: int,
        slow: float,
        max_tests: int,
        coverage_map: Path,
    ) -> None:
        self._jobs = jobs
        self._results = results
        self._parallel = parallel
        self._slow = slow
        self._max_tests = max_tests
        self._map = coverage_map
        self._paths = core_modules(Path.cwd())
        self._failed = False
        self._killers: dict[str, Counter[int]] = {}  # by module: how many mutants each test has killed

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        fail_fast()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = session.items
        if not self._map.exists():
            # In a child, so that the tests leave no state behind in the process that is forked for each mutant.
            run_jobs([lambda _report: self._write_map(items)], 1, lambda *_: None)
        self._read_map(items, json.loads(self._map.read_text()))
        gc.freeze()  # so that the collector of a child does not copy the pages that it shares with its parent
        with self._results.open("a") as results:

            def done(number: int, end: int, killer: str) -> None:
                job = self._jobs[number]
                killed = end != SURVIVED and killer
                if killed:
                    self._killers.setdefault(job["module"], Counter())[int(killer)] += 1
                name = items[int(killer)].nodeid if killed else ""
                print(json.dumps({"id": job["id"], "end": end, "by": name}), file=results, flush=True)

            run_jobs((self._attempt(items, job) for job in self._jobs), self._parallel, done)
        return True

    def _write_map(self, items: list[pytest.Item]) -> int:
        """Run every test with the original source; record its time, its result, and the lines that it reaches."""
        measured = coverage.Coverage(
            data_file=None, source=[str(Path.cwd().joinpath(*PACKAGE.split(".")))], config_file=False
        )
        seconds, spent, passed = [], [], []
        measured.start()
        for number, item in enumerate(items):
            measured.switch_context(str(number))
            began, used, self._failed = time.monotonic(), time.process_time(), False
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            seconds.append(time.monotonic() - began)
            spent.append(time.process_time() - used)
            passed.append(not self._failed)
        measured.stop()
        data, lines = measured.get_data(), {}
        names = {str(path): name for name, path in self._paths.items()}
        for file in data.measured_files():
            if file in names:
                contexts = data.contexts_by_lineno(file)
                lines[names[file]] = {
                    line: [int(context) for context in on if context] for line, on in contexts.items()
                }
        record = {"names": [item.nodeid for item in items], "seconds": seconds, "spent": spent, "passed": passed}
        self._map.write_text(json.dumps(record | {"lines": lines}))
        return SURVIVED

    def _read_map(self, items: list[pytest.Item], record: dict[str, Any]) -> None:
        """Read the map; a test that is newer than the map counts for the module that it is named after."""
        index = {name: number for number, name in enumerate(record["names"])}
        mapped = [index.get(item.nodeid) for item in items]
        self._seconds = [0.1 if old is None else record["seconds"][old] for old in mapped]
        self._usable = [old is None or (record["passed"][old] and record["spent"][old] <= self._slow) for old in mapped]
        here = {old: number for number, old in enumerate(mapped) if old is not None}
        self._new = [number for number, old in enumerate(mapped) if old is None]
        self._lines = {
            module: {line: [here[old] for old in tests if old in here] for line, tests in lines.items()}
            for module, lines in record["lines"].items()
        }

    def _attempt(self, items: list[pytest.Item], job: dict[str, Any]) -> Job:
        path = self._paths[job["module"]]
        changes = changed_functions(path.read_text(encoding="utf-8"), job["source"], str(path)) or []
        order = list(self._order(items, job))

        def attempt(report: Report) -> int:
            if not patch(sys.modules[f"{PACKAGE}.{job['module']}"], changes):
                raise LookupError(job["id"])
            for number in order:
                report(str(number))
                self._failed = False
                # Twenty times its usual time, and some seconds for a busy machine.
                limit_time(10 + 20 * self._seconds[number])
                items[number].config.hook.pytest_runtest_protocol(item=items[number], nextitem=None)
                if self._failed:
                    return KILLED
            return SURVIVED

        return attempt

    def _order(self, items: list[pytest.Item], job: dict[str, Any]) -> Iterator[int]:
        """Yield the tests that reach a mutant's lines: likely killers first, then `tests/core`, then quick ones."""
        lines = self._lines.get(job["module"], {})
        reaching = {test for line in range(job["first"], job["last"] + 1) for test in lines.get(str(line), ())}
        stem = job["module"].rpartition(".")[2]
        reaching.update(test for test in self._new if f"test_{stem}" in items[test].nodeid)
        killers = self._killers.get(job["module"], Counter())

        def rank(test: int) -> tuple[Any, ...]:
            return -killers[test], not items[test].nodeid.startswith("tests/core"), self._seconds[test], test

        yield from sorted((test for test in reaching if self._usable[test]), key=rank)[: self._max_tests]


def main() -> None:
    """Read the jobs and run them."""
    order = json.loads(Path(sys.argv[1]).read_text())
    plugin = InPlace(
        order["jobs"],
        Path(order["results"]),
        parallel=order["parallel"],
        slow=order["slow"],
        max_tests=order["max_tests"],
        coverage_map=Path(order["map"]),
    )
    raise SystemExit(pytest.main([*QUIET, *order["tests"]], plugins=[plugin]))


if __name__ == "__main__":
    main()
