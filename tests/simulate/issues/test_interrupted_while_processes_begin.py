"""Ctrl-C during `resilience simulate` showed the traceback of the first process that it had started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = """
import os, signal, sys
from resilience.simulate.parallel_runs import _interrupts_held
from multiprocessing import get_context

if __name__ == "__main__":
    process = get_context("spawn").Process(target=print, args=("made",))
    with _interrupts_held():
        process.start()
    print(open(f"/proc/{process.pid}/status").read())
    process.join()
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_the_first_process_is_started_with_interrupts_blocked(tmp_path: Path) -> None:
    """Worker processes inherit a blocked SIGINT, the first one too: the parent handles Ctrl-C."""
    script = tmp_path / "begin.py"
    script.write_text(BEGIN)
    done = subprocess.run(
        [sys.executable, str(script)],
        check=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
    )
    blocked = next(int(line.split()[1], 16) for line in done.stdout.splitlines() if line.startswith("SigBlk"))
    assert blocked >> (signal.SIGINT - 1) & 1, done.stderr
