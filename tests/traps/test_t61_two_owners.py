"""Two processes own one outbox file: through a link, after a backup that opened and closed the file, or by a fork."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from resilience.outbox import Outbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the locks of POSIX")

TAKE_POSIX_LOCK = """
import fcntl, sys
with open(sys.argv[1], "a") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        print("owner")
    except OSError:
        print("refused")
"""
OPEN_OUTBOX = """
import sys
from resilience.outbox import Outbox
try:
    Outbox(sys.argv[1])
    print("owner")
except BlockingIOError:
    print("refused")
"""
FORK = """
import os, sys
from resilience.outbox import Outbox
outbox = Outbox(sys.argv[1])
if not os.fork():
    try:
        outbox.open
        print("owner", flush=True)
    except OSError as error:
        print("refused", flush=True)
    os._exit(0)
os.wait()
"""


def run(code: str, path: Path) -> str:
    """Run code in another process; return the word that it prints."""
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_naive(tmp_path: Path) -> None:
    """A lock of `fcntl` is gone as soon as its own process opens and closes the file once more."""
    import fcntl

    path = tmp_path / "orders"
    with path.open("a") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert run(TAKE_POSIX_LOCK, path) == "refused"
        path.read_bytes()  # a backup
        assert run(TAKE_POSIX_LOCK, path) == "owner"


@pytest.mark.slow
def test_ours(tmp_path: Path) -> None:
    """Another process is refused after a backup and through links, and so is a forked child."""
    path, link = tmp_path / "bot.db", tmp_path / "link.db"
    link.symlink_to(path)
    with Outbox(path):
        for file in tmp_path.iterdir():
            file.read_bytes()
        assert run(OPEN_OUTBOX, path) == "refused"
        assert run(OPEN_OUTBOX, link) == "refused"
        os.link(path, tmp_path / "second.db")
        with pytest.raises(OSError, match="hard links"):
            Outbox(tmp_path / "second.db")
    (tmp_path / "second.db").unlink()
    assert run(OPEN_OUTBOX, link) == "owner"
    assert run(FORK, path) == "refused"
