"""One owner per file: through symbolic and hard links, forks, copies of the descriptor, and removed files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from resilience import RejectedError
from resilience.outbox import Outbox
from tests.outbox.bots import Bot, wrapped

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def run_python(code: str, *arguments: object) -> str:
    """Run code in another process and return what it prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


OPEN_ELSEWHERE = """
import sys
from resilience.outbox import Outbox
try:
    Outbox(sys.argv[1]).close()
    print("opened")
except OSError as error:
    print(type(error).__name__, error)
"""


def test_a_second_outbox_is_refused_by_name(outbox: Outbox, path: Path) -> None:
    """In this process and in another, the refusal names the process that has the file."""
    with pytest.raises(BlockingIOError, match=f"another outbox uses it, of process {os.getpid()} on "):
        Outbox(path)
    assert f"of process {os.getpid()}" in run_python(OPEN_ELSEWHERE, path)


def test_an_outbox_opens_once_the_first_was_closed_or_killed(path: Path) -> None:
    """The system unlocks the file of a killed process."""
    Outbox(path).close()
    story = "import sys; from resilience.outbox import Outbox; box = Outbox(sys.argv[1]); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", story, path], stdin=-1, stdout=-1) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(BlockingIOError, match=f"of process {other.pid}"):
            Outbox(path)
        other.kill()
    Outbox(path).close()


@pytest.mark.slow
@posix
def test_a_symbolic_link_leads_to_the_same_outbox(outbox: Outbox, path: Path, tmp_path: Path) -> None:
    """A link to the file, or to its folder, in any other folder."""
    (tmp_path / "elsewhere").mkdir()
    to_file, to_folder = tmp_path / "elsewhere" / "link.db", tmp_path / "elsewhere" / "folder"
    to_file.symlink_to(path)
    to_folder.symlink_to(tmp_path)
    for name in (to_file, to_folder / path.name):
        with pytest.raises(BlockingIOError, match="another outbox uses it"):
            Outbox(name)
        assert "BlockingIOError" in run_python(OPEN_ELSEWHERE, name)


@posix
def test_a_link_to_nothing_creates_the_file_that_it_leads_to(tmp_path: Path) -> None:
    """As opening it would."""
    link, target = tmp_path / "link.db", tmp_path / "real.db"
    link.symlink_to(target)
    with Outbox(link):
        assert target.is_file()
        assert link.is_symlink()


@posix
def test_a_hard_link_is_refused(outbox: Outbox, path: Path, tmp_path: Path) -> None:
    """The second name has a lock and a log of its own, so that no lock could tell two owners apart."""
    os.link(path, tmp_path / "second.db")
    with pytest.raises(OSError, match=r"has 2 names \(hard links\): an outbox must have one"):
        Outbox(tmp_path / "second.db")
    outbox.close()
    with pytest.raises(OSError, match="has 2 names"):
        Outbox(path)
    (tmp_path / "second.db").unlink()
    Outbox(path).close()


@posix
def test_what_opens_and_closes_the_files_does_not_unlock_them(outbox: Outbox, tmp_path: Path) -> None:
    """A backup in the same process reads every file of the folder: another process is refused afterwards too."""
    for file in tmp_path.iterdir():
        file.read_bytes()
        shutil.copy(file, tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "bot.db")) as reader:
        reader.execute("SELECT * FROM writes")
    assert "BlockingIOError" in run_python(OPEN_ELSEWHERE, tmp_path / "bot.db")


FORK = """
import os, sys
from resilience import RejectedError
from resilience.outbox import Outbox
from tests.outbox.bots import Bot, wrapped

outbox, parent = Outbox(sys.argv[1]), os.getpid()
raw = Bot()
bot = wrapped(raw, outbox)
bot.place(client_id="before")
if not (child := os.fork()):
    lines = []
    for act in (lambda: bot.place(client_id="child"), lambda: outbox.open, lambda: outbox.resume(bot),
                lambda: outbox.settle("before", "done"), lambda: Outbox(sys.argv[1])):
        try:
            act()
            lines.append("no error")
        except (RejectedError, OSError) as error:
            lines.append(f"{type(error).__name__} {error}")
    outbox.close()  # that of the parent is not closed by it
    with Outbox(sys.argv[1] + "-child") as own:
        lines.append(wrapped(Bot(), own).place(client_id="child"))
    print(*lines, raw.sent, parent, sep="\\n", flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(bot.place(client_id="after"), [row.key for row in outbox.rows("done")], flush=True)
"""


@pytest.mark.slow
@posix
def test_a_forked_child_does_not_own_the_outbox(path: Path) -> None:
    """Its calls are rejected and nothing is sent, until it opens an outbox of its own; the parent goes on."""
    place, opened, resumed, settled, second, own, sent, parent, after = run_python(FORK, path).splitlines()
    assert place.startswith("RejectedError place: the outbox cannot be written")
    for line in (place, opened, resumed, settled):
        assert f"belongs to process {parent}, of which this process" in line
        assert "needs an Outbox of its own" in line
    assert second.startswith("BlockingIOError")
    assert (own, sent) == ("child", "['before']")
    assert after == "after ['before', 'after']"


LEFT_BEHIND = """
import os, sys, time
from resilience.outbox import Outbox
outbox = Outbox(sys.argv[1])
if os.fork():
    print(flush=True)
    os._exit(0)
os.close(1)
os.close(2)
input()
"""


@posix
def test_a_child_that_outlives_its_parent_does_not_keep_the_lock(path: Path) -> None:
    """The restarted bot opens its file although a worker of the old one still runs."""
    with subprocess.Popen([sys.executable, "-c", LEFT_BEHIND, path], stdin=-1, stdout=-1) as parent:
        assert parent.stdout is not None
        parent.stdout.read()
        assert parent.wait(60) == 0
        Outbox(path).close()


def test_a_bot_of_0_1_keeps_its_file(path: Path) -> None:
    """It has a lock of another kind, which is respected, and it respects ours."""
    with closing(sqlite3.connect(f"{path}-owner", isolation_level=None)) as old:
        old.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BlockingIOError, match=r"of a process with resilience 0\.1"):
            Outbox(path)
    with (
        Outbox(path),
        closing(sqlite3.connect(f"{path}-owner", isolation_level=None, timeout=0)) as old,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        old.execute("BEGIN EXCLUSIVE")


def replace_by_copy(path: Path) -> None:
    """Put a copy in the place of a file, as a restored backup does."""
    copy = path.with_suffix(".copy")
    shutil.copy(path, copy)
    copy.replace(path)


def empty(path: Path) -> None:
    """Empty a file."""
    os.truncate(path, 0)


@posix
@pytest.mark.parametrize("change", [Path.unlink, replace_by_copy, empty])
def test_a_file_that_was_removed_or_replaced_rejects_the_write(outbox: Outbox, path: Path, change: Any) -> None:
    """A restarted bot would not find the row, so nothing is sent; it is noticed before the very next write."""
    bot = Bot()
    client = wrapped(bot, outbox)
    client.place(client_id="a")
    change(path)
    with pytest.raises(RejectedError, match="was removed, replaced or emptied while the outbox was in use"):
        client.place(client_id="b")
    assert bot.sent == ["a"]


@posix
@pytest.mark.parametrize("suffix", ["-wal", "-lock"])
def test_a_file_beside_the_outbox_that_was_removed_rejects_the_write(outbox: Outbox, path: Path, suffix: str) -> None:
    """The log has the latest rows, and a removed lock would let a second owner in."""
    bot = Bot()
    path.with_name(path.name + suffix).unlink()
    with pytest.raises(RejectedError, match="was removed, replaced or emptied"):
        wrapped(bot, outbox).place(client_id="a")
    assert bot.sent == []


@posix
def test_a_link_that_leads_elsewhere_now_rejects_the_write(tmp_path: Path) -> None:
    """After a restart the link would open another file."""
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "one.db")
    bot = Bot()
    with Outbox(link) as outbox, Outbox(tmp_path / "two.db"):
        link.unlink()
        link.symlink_to(tmp_path / "two.db")
        with pytest.raises(RejectedError, match="was removed, replaced or emptied"):
            wrapped(bot, outbox).place(client_id="a")
    assert bot.sent == []


@posix
def test_a_file_that_is_removed_during_an_attempt_is_noticed_before_the_next(outbox: Outbox, path: Path) -> None:
    """The row of the write is gone: the second attempt is not sent."""
    sent: list[str] = []

    class Flaky:
        def place(self, *, client_id: str) -> str:
            sent.append(client_id)
            path.unlink(missing_ok=True)
            raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        wrapped(Flaky(), outbox).place(client_id="a")
    assert sent == ["a"]


def test_a_relative_path_stays_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot that changes its working directory goes on."""
    monkeypatch.chdir(tmp_path)
    with Outbox("bot.db") as outbox:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert wrapped(Bot(), outbox).place(client_id="a") == "a"


def as_folder(path: Path) -> Path:
    """Make a folder in the place of the file."""
    path.mkdir()
    return path


def in_no_folder(path: Path) -> Path:
    """Return a path in a folder that does not exist."""
    return path / "bot.db"


def as_link_to_itself(path: Path) -> Path:
    """Make a link that leads to itself."""
    path.symlink_to(path)
    return path


def as_pipe(path: Path) -> Path:
    """Make a named pipe."""
    os.mkfifo(path)
    return path


@posix
@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (as_folder, IsADirectoryError, "is a folder: an outbox needs the path of a file"),
        (in_no_folder, FileNotFoundError, "does not exist"),
        (as_link_to_itself, OSError, "link"),
        (as_pipe, OSError, "is not a regular file"),
        (lambda _path: "", ValueError, "the path is empty"),
        (lambda _path: "mysql://localhost/bot", ValueError, "or a URL that begins with postgresql://"),
        (lambda _path: "host=db user=bot password=pw", ValueError, "or a URL that begins with postgresql://"),
        (lambda _path: "/dev/null", OSError, "is not a regular file"),
    ],
)
def test_a_path_that_cannot_be_an_outbox_is_refused(
    path: Path, make: Callable[[Path], Any], error: type, text: str
) -> None:
    """A clear error, and nothing is created beside it."""
    given = make(path)
    with pytest.raises(error, match=text):
        Outbox(given)
    assert [file.name for file in path.parent.iterdir() if file.name != path.name] == []


@pytest.mark.parametrize("content", [b"no rows" * 1000, b"SQLite format 3\0" + b"\xff" * 8000], ids=["text", "damaged"])
def test_a_file_with_another_content_is_refused(path: Path, content: bytes) -> None:
    """It stays as it is, and the lock is free again."""
    path.write_bytes(content)
    for _ in range(2):
        with pytest.raises(ValueError, match="is not an outbox"):
            Outbox(path)
    assert path.read_bytes() == content


@posix
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_what_cannot_be_written_is_refused(path: Path, what: str) -> None:
    """A read-only file, and a read-only folder: the error comes when the outbox is opened, not with the first order."""
    Outbox(path).close()
    changed = path if what == "file" else path.parent
    changed.chmod(0o400 if what == "file" else 0o500)
    try:
        with pytest.raises(OSError, match=r"[Pp]ermission|readonly|read-only"):
            Outbox(path)
    finally:
        changed.chmod(0o700)


NO_SPACE = """
import os, resource, sys
from resilience import RejectedError
from resilience.outbox import Outbox
from tests.outbox.bots import Bot, wrapped

outbox = Outbox(sys.argv[1])
raw = Bot()
bot = wrapped(raw, outbox)
size = max(entry.stat().st_size for entry in os.scandir(os.path.dirname(sys.argv[1])))
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 9000, resource.RLIM_INFINITY))
try:
    for number in range(100):
        bot.place("x" * 500, client_id=str(number))
except RejectedError as error:
    print(error)
print(raw.sent[-1], [row.key for row in outbox.rows("done")][-1], len(outbox.open))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(bot.place(client_id="later"), len(outbox.rows("done")), len(outbox.open), len(raw.sent))
"""


@pytest.mark.slow
@posix
def test_a_full_disk_rejects_the_next_write_and_loses_none(path: Path) -> None:
    """What was sent is in the file, what is not in the file was not sent; with space again the bot goes on."""
    code = f"import warnings; warnings.simplefilter('error')\n{NO_SPACE}"
    refusal, before, after = run_python(code, path).splitlines()
    assert "the outbox cannot be written" in refusal
    assert "nothing was sent" in refusal
    last_sent, last_done, still_open = before.split()
    assert last_sent == last_done
    assert int(still_open) <= 1  # the refused write, which is not known to have been sent
    key, done, _still_open, sent = after.split()
    assert (key, done) == ("later", sent)
