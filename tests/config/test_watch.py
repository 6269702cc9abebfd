"""The watch of a file that is replaced, written in place, linked, missing for a while, or wrong."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies
from resilience.config import load

LONG = 60.0  # seconds; nobody waits that long unless something is broken


class Watched:
    """A watched policy file; `next` waits for an event of the watch."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bot.yaml"
        self.write("20s")
        self.load = load
        self.policies = Policies(load(self.path), load=lambda: self.load(self.path), log=False)
        self._events: list[Any] = []
        self._arrived = threading.Condition()
        self.policies.subscribe(self._record)

    def write(self, deadline: str, path: Path | None = None) -> None:
        """Write a file in place."""
        (path or self.path).write_text(f"version: 1\npolicies: {{p: {{deadline: {deadline}}}}}\n")

    def replace(self, deadline: str) -> None:
        """Write another file and rename it over the first one, as editors do."""
        other = self.path.with_suffix(".new")
        self.write(deadline, other)
        os.replace(other, self.path)

    def _record(self, event: Any) -> None:
        with self._arrived:
            self._events.append(event)
            self._arrived.notify_all()

    def next(self, name: str) -> Any:
        """Wait for an event with this name and return it; earlier ones are skipped."""
        with self._arrived:
            while True:
                assert self._arrived.wait_for(lambda: self._events, LONG), f"{name} was never emitted"
                event = self._events.pop(0)
                if event.name == name:
                    return event

    def deadline(self) -> float | None:
        """Return the deadline in force."""
        return self.policies.policy("p").deadline


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A file that is not watched yet."""
    made = Watched(tmp_path)
    yield made
    assert not [one for one in threading.enumerate() if one.name == "resilience-watch"]


def test_written_replaced_wrong_and_right_again(watched: Watched) -> None:
    """Each way of writing is loaded, and a bad file does not end the watch."""
    with watched.policies.watch() as watch:
        watched.write("21s")
        assert watched.next("policy_reloaded").changes == ({"path": "p.deadline", "before": 20.0, "after": 21.0},)
        watched.write("never")
        assert watched.next("policy_rejected").problems
        assert watched.deadline() == 21.0
        watched.replace("22s")
        watched.next("policy_reloaded")
        assert (watched.deadline(), watch.alive) == (22.0, True)
    assert not watch.alive


def test_a_change_before_the_watch_is_not_missed(watched: Watched) -> None:
    """A change between the load and the watch is loaded when the watch starts."""
    watched.write("23s")
    with watched.policies.watch():
        watched.next("policy_reloaded")
    assert watched.deadline() == 23.0


def test_gone_for_a_while(watched: Watched) -> None:
    """A missing file is reported once, and loaded when it is back."""
    with watched.policies.watch():
        watched.path.unlink()
        problems = watched.next("policy_rejected").problems
        assert problems is not None
        assert "cannot be read" in problems[0]["message"]
        watched.write("24s")
        watched.next("policy_reloaded")
    assert watched.deadline() == 24.0


def test_links_that_are_swapped(tmp_path: Path) -> None:
    """Kubernetes swaps the folder that the file's link goes through."""
    for number in (1, 2):
        (tmp_path / f"v{number}").mkdir()
        (tmp_path / f"v{number}" / "bot.yaml").write_text(f"version: 1\npolicies: {{p: {{deadline: {number}s}}}}\n")
    (tmp_path / "..data").symlink_to("v1")
    mount = tmp_path / "mount"
    mount.mkdir()
    (tmp_path / "..data" / "..").resolve()
    watched = Watched(mount)
    watched.path.unlink()
    watched.path.symlink_to(tmp_path / "..data" / "bot.yaml")
    with watched.policies.watch():
        watched.next("policy_reloaded")
        (tmp_path / "..new").symlink_to("v2")
        os.replace(tmp_path / "..new", tmp_path / "..data")
        watched.next("policy_reloaded")
    assert watched.deadline() == 2.0


def test_a_table_is_watched_too(watched: Watched) -> None:
    """So is one with a mistake that a rejected file named."""
    table = watched.path.with_name("shop.yaml")
    table.write_text("rules: [{code: E1, category: retriable}]\n")
    with watched.policies.watch():
        watched.path.write_text("version: 1\ncodes: [shop.yaml]\npolicies: {p: {deadline: 25s}}\n")
        watched.next("policy_rejected")
        table.write_text("rules: [{code: E1, category: retryable}]\n")
        watched.next("policy_reloaded")
        table.write_text("rules: [{code: E1, category: fatal}]\n")
        changes = watched.next("policy_reloaded").changes
        assert changes is not None
        assert changes[0]["after"] == "fatal"


def test_an_error_that_is_no_mistake_of_a_file(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event has its class, and the watch continues."""

    def broken(_path: Path) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(watched, "load", broken)
        watch = watched.policies.watch()
        assert watched.next("policy_rejected").caused_by == "ZeroDivisionError"
    with watch:
        watched.replace("27s")
        watched.next("policy_reloaded")
    assert watched.deadline() == 27.0


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
@pytest.mark.parametrize("files", [True, False])
def test_sighup_reloads(watched: Watched, files: bool) -> None:
    """The signal reloads in the watch's thread; the previous handler is still called."""
    signals: list[int] = []
    former = signal.signal(signal.SIGHUP, lambda number, _frame: signals.append(number))
    try:
        with watched.policies.watch(files=files, signals=True):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGHUP)
                watched.next("policy_reloaded")
        assert signal.getsignal(signal.SIGHUP) is not former
        os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, former)
    assert signals == [signal.SIGHUP] * 3


def test_signals_are_for_the_main_thread(watched: Watched) -> None:
    """In another thread the error says so, and no handler or thread remains."""
    errors: list[str] = []

    def ask() -> None:
        try:
            watched.policies.watch(signals=True)
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert "main thread" in errors[0]


def test_without_watchfiles(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra; watching only signals needs none."""
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(ModuleNotFoundError, match=r"resilience-middleware\[watch\]"):
        watched.policies.watch()
