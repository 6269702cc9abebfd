"""Collects the tests once and runs them against each mutant in a forked child: `python -m benchmarks.mutants.warm`.

First all tests run as the source is, and it is noted which lines each reaches and how long it takes. A
mutant then meets the tests that reach its lines, `tests/core` first, those that killed its neighbours
before the rest, up to the first that fails. Works are read from a file of JSON, ends are written to another.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest
from hypothesis import Phase, settings

from .children import KILLED, SURVIVED, allow, run
from .patching import ROOM, changed, put

__all__ = ["Warm"]

Tell = Callable[[str], None]
HERE = Path.cwd() / "resilience" / "_core"


class Warm:
    """A plugin that runs the loop of tests once as it is, and once for each mutant."""

    def __init__(
        self, works: list[dict[str, Any]], told: Path, *, jobs: int, slow: float, most: int, reach: Path
    ) -> None:
        self._works = works
        self._told = told
        self._jobs = jobs
        self._slow = slow
        self._most = most
        self._map = reach
        self._failed = False
        self._killers: dict[str, Counter[int]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Let hypothesis stop at the first example that fails, and not look for the least one."""
        settings.register_profile(
            "mutants", settings.get_profile("steady"), phases=[Phase.explicit, Phase.generate], database=None
        )
        settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items, notes = session.items, self._map
        if not notes.exists():
            run([lambda _tell: self._baseline(items, notes)], 1, lambda *_: None)
        self._read(items, json.loads(notes.read_text()))
        gc.freeze()  # a child that collects need not copy what it does not change
        works = list(self._works)
        with self._told.open("a") as told:

            def done(number: int, end: int, killer: str) -> None:
                work = works[number]
                killed = end != SURVIVED and killer
                if killed:
                    self._killers.setdefault(work["module"], Counter())[int(killer)] += 1
                names = items[int(killer)].nodeid if killed else ""
                print(json.dumps({"id": work["id"], "end": end, "by": names}), file=told, flush=True)

            run((self._attempt(items, work) for work in works), self._jobs, done)
        return True

    def _read(self, items: list[pytest.Item], told: dict[str, Any]) -> None:
        """Take what a run as it is told; a test that came later counts for the module that it is named after."""
        at = {name: number for number, name in enumerate(told["names"])}
        known = [at.get(item.nodeid) for item in items]
        self._seconds = [0.1 if one is None else told["seconds"][one] for one in known]
        self._good = [one is None or (told["good"][one] and told["spent"][one] <= self._slow) for one in known]
        here = {one: number for number, one in enumerate(known) if one is not None}
        self._new = [number for number, one in enumerate(known) if one is None]
        self._lines = {
            module: {line: [here[one] for one in some if one in here] for line, some in lines.items()}
            for module, lines in told["lines"].items()
        }

    def _baseline(self, items: list[pytest.Item], notes: Path) -> int:
        """Run everything as it is: seconds and goodness of each test, and the tests that reach each line."""
        seen = coverage.Coverage(data_file=None, source=[str(HERE)], config_file=False)
        seconds, spent, good = [], [], []
        seen.start()
        for number, item in enumerate(items):
            seen.switch_context(str(number))
            began, used, self._failed = time.monotonic(), time.process_time(), False
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            seconds.append(time.monotonic() - began)
            spent.append(time.process_time() - used)
            good.append(not self._failed)
        seen.stop()
        data, lines = seen.get_data(), {}
        for file in data.measured_files():
            found = data.contexts_by_lineno(file)
            lines[Path(file).stem] = {line: [int(one) for one in on if one] for line, on in found.items()}
        names = [one.nodeid for one in items]
        notes.write_text(json.dumps({"names": names, "seconds": seconds, "spent": spent, "good": good, "lines": lines}))
        return SURVIVED

    def _attempt(self, items: list[pytest.Item], work: dict[str, Any]) -> Callable[[Tell], int]:
        path = HERE / f"{work['module']}.py"
        changes = changed(path.read_text(encoding="utf-8"), work["source"], str(path)) or []
        order = list(self._order(items, work))

        def attempt(tell: Tell) -> int:
            if not put(sys.modules[f"{ROOM}.{work['module']}"], changes):
                raise LookupError(work["id"])
            for number in order:
                tell(str(number))
                self._failed = False
                allow(10 + 20 * self._seconds[number])
                items[number].config.hook.pytest_runtest_protocol(item=items[number], nextitem=None)
                if self._failed:
                    return KILLED
            return SURVIVED

        return attempt

    def _order(self, items: list[pytest.Item], work: dict[str, Any]) -> Iterator[int]:
        """Yield the tests that reach a mutant's lines, likely killers first, then by room, then the quick ones."""
        lines = self._lines.get(work["module"], {})
        reach = {one for line in range(work["first"], work["last"] + 1) for one in lines.get(str(line), ())}
        reach.update(one for one in self._new if f"test_{work['module']}" in items[one].nodeid)
        killers = self._killers.get(work["module"], Counter())
        usable = [one for one in reach if self._good[one]]

        def rank(one: int) -> tuple[Any, ...]:
            return -killers[one], not items[one].nodeid.startswith("tests/core"), self._seconds[one], one

        yield from sorted(usable, key=rank)[: self._most]


def main() -> None:
    """Read what is to be done and run it."""
    told = json.loads(Path(sys.argv[1]).read_text())
    plugin = Warm(
        told["works"],
        Path(told["told"]),
        jobs=told["jobs"],
        slow=told["slow"],
        most=told["most"],
        reach=Path(told["map"]),
    )
    quiet = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        "0",
        "-p",
        "no:cov",
        "--capture=sys",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    raise SystemExit(pytest.main([*quiet, *told["rooms"]], plugins=[plugin]))


if __name__ == "__main__":
    main()
