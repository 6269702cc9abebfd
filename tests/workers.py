"""Keeps the tests quick, and says why one that was run again had failed.

A file is compiled once, one certificate is read, and the rows of long tables after the first few are marked.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Generator, Iterator
from pathlib import Path
from zlib import crc32

import certifi
import pytest

ROOT = Path(__file__).parents[1]
WORTH_IT = 30
"""Rewriting so many files takes longer than starting processes for it."""
QUICK_ROWS = 12
"""Rows of a parametrized test that the quick run takes."""

# Each client of httpx or async ccxt reads the certificates of 140 authorities, which takes 30 ms. No test reaches a
# public server, so one certificate will do: for the programs that a test starts, and for clients that ask certifi.
os.environ["SSL_CERT_FILE"] = str(ROOT / "tests" / "data" / "certificates.pem")
certifi.where = lambda: os.environ["SSL_CERT_FILE"]
# Without bytecode each worker rewrites all assertions, and each program that a test starts compiles the library.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_configure(config: pytest.Config) -> None:
    """Rewrite the assertions before workers start: they all start at once, and each would rewrite every file."""
    workers = config.getoption("numprocesses", None) or 0
    if workers > 1 and not hasattr(config, "workerinput"):
        files = sorted(_not_rewritten(config.args), key=lambda path: path.stat().st_size)
        if len(files) >= WORTH_IT:
            _rewrite(files)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Exempt what collection makes from garbage collection: a million objects, which live to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the rows of a parametrized test after the first few. Which come first is drawn, the same in every run.

    A test by client, verb and answer has hundreds of rows: by a draw the few are of all clients, verbs and answers.
    """
    tests: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        tests[item.nodeid.partition("[")[0]].append(item)
    for rows in tests.values():
        if len(rows) > QUICK_ROWS:
            for item in sorted(rows, key=lambda item: crc32(item.nodeid.encode()))[QUICK_ROWS:]:
                item.add_marker("further_row")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the failure of a test that passed only the second time: it is a fault to mend, and hard to see again."""
    for report in terminalreporter.stats.get("rerun", ()):
        terminalreporter.section(f"the first run of {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)


def _not_rewritten(words: list[str]) -> Iterator[Path]:
    """Yield the test files under these arguments whose bytecode is missing or old."""
    for word in words:
        path = Path(word.partition("::")[0]).absolute()
        for file in path.rglob("test_*.py") if path.is_dir() else [path]:
            name = f"{file.stem}.{sys.implementation.cache_tag}-pytest-{pytest.__version__}.pyc"
            bytecode = file.parent / "__pycache__" / name
            if file.exists() and not (bytecode.exists() and bytecode.stat().st_mtime >= file.stat().st_mtime):
                yield file


def _rewrite(files: list[Path]) -> None:
    """Collect a share of the files in a process per processor, which rewrites them. The workers report mistakes."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    shares = [[str(file) for file in files[start :: _processes()]] for start in range(_processes())]
    silent = subprocess.DEVNULL
    running = [
        subprocess.Popen([*command, *share], cwd=ROOT, env=environment, stdout=silent, stderr=silent)
        for share in shares
    ]
    for process in running:
        process.wait()


def _processes() -> int:
    return min(os.cpu_count() or 1, 4)
