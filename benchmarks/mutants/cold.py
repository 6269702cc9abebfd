"""Imports each mutant anew in a forked child and runs the tests in it: `python -m benchmarks.mutants.cold`.

For mistakes in the body of a module or a class. What the tests need of others is imported before the
fork, so that a child imports this library and the tests alone. `tests/core` and `tests/config` run first, the
other rooms only against what survives them; slow tests are left out.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from .children import KILLED, SURVIVED, allow, run
from .patching import ROOM, Import

__all__: list[str] = []

Tell = Callable[[str], None]
OTHERS = (
    "aiohttp", "ccxt.async_support", "hypothesis.stateful", "httpx", "jsonschema", "pybreaker", "pydantic", "requests",
    "structlog", "tenacity", "trio", "websockets", "yaml", "rich.console",
)  # fmt: skip


class Timed:
    """Gives each test its time, tells which one runs, and lets the slow ones out."""

    def __init__(self, tell: Tell, slow: set[str], killers: Counter[str]) -> None:
        self._tell = tell
        self._slow = slow
        self._killers = killers

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutants", settings.get_profile("steady"), phases=[Phase.explicit, Phase.generate], database=None
        )
        settings.load_profile("mutants")
        allow(120)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._tell(nodeid)
        allow(60)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (one for one in items if one.nodeid not in self._slow), key=lambda one: -self._killers[one.nodeid]
        )


def attempt(work: dict[str, Any], rooms: list[str], slow: set[str], killers: Counter[str]) -> Callable[[Tell], int]:
    def run_tests(tell: Tell) -> int:
        Import(work["module"], Path.cwd() / "resilience" / "_core" / f"{work['module']}.py", work["source"])
        first = [one for one in rooms if one in ("tests/core", "tests/config")]
        then = [one for one in rooms if one not in first]
        quiet = [
            "-x",
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
        for some in (first, then):
            import_module(f"{ROOM}.{work['module']}")  # before pytest, whose own finder would pass ours by
            if some and pytest.main([*quiet, *some], plugins=[Timed(tell, slow, killers)]) != 0:
                return KILLED
            for name in [one for one in sys.modules if one.partition(".")[0] in ("resilience", "tests")]:
                del sys.modules[name]
        return SURVIVED

    return run_tests


def main() -> None:
    """Read what is to be done and run it."""
    told = json.loads(Path(sys.argv[1]).read_text())
    for name in OTHERS:
        with suppress(ImportError):
            import_module(name)
    works, notes = told["works"], json.loads(Path(told["map"]).read_text())
    slow = {name for name, spent in zip(notes["names"], notes["spent"], strict=True) if spent > told["slow"]}
    killers: Counter[str] = Counter()
    with Path(told["told"]).open("a") as out:

        def done(number: int, end: int, killer: str) -> None:
            by = killer if end != SURVIVED else ""
            killers[by] += 1
            print(json.dumps({"id": works[number]["id"], "end": end, "by": by}), file=out, flush=True)

        run((attempt(work, told["rooms"], slow, killers) for work in works), told["jobs"], done)


if __name__ == "__main__":
    main()
