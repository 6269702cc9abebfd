"""Reloads policies when their files change, in a daemon thread, or on SIGHUP. Only this module imports watchfiles.

A reload depends on the files' contents, not on file system events. Folders are watched, because editors and
Kubernetes replace files instead of writing them. After each event, and once per second without one, the contents
are compared with those that were loaded last. Only `close` ends the watch; a bad or missing file does not.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, Self

from ...errors import PolicyError
from .file_contents import Contents, contents_of, folders_of

__all__ = ["Watch"]

_POLL_MS = 1000  # between two comparisons without an event
_SETTLE_MS = 40  # events within this time are handled together: an editor causes several
_REPLACE_TIMEOUT = 2.0  # seconds; a file that is missing or empty for longer is not just being replaced
_UNKNOWN = "loaded, but its content was not compared yet"


class Watch:
    """Watches policy files until it is closed; as a context manager it closes itself.

    Threads do not survive a fork: a forked child must start its own watch.
    """

    def __init__(
        self,
        named: Callable[[], Iterable[str]],
        reload: Callable[[bool], Any],
        broken: Callable[[Exception], None],
        *,
        files: bool = True,
        signals: bool = False,
    ) -> None:
        """Start watching.

        Args:
            named: returns the files that a reload reads.
            reload: reads them; raises `PolicyError` for mistakes, after it has reported them. With False it
                reports only what has changed.
            broken: called with every other exception of a reload.
            files: watch the files.
            signals: reload on SIGHUP.

        Raises:
            ModuleNotFoundError: files are to be watched, and watchfiles is not installed.
            RuntimeError: signals are asked for outside the main thread, or on a system without SIGHUP.
        """
        if files and find_spec("watchfiles") is None:
            message = "watching policy files needs watchfiles: pip install 'resilience-middleware[watch]'"
            raise ModuleNotFoundError(f"{message}; reload() and watch(files=False, signals=True) need nothing")
        self._named, self._reload, self._on_error = named, reload, broken
        self._requests: SimpleQueue[bool] = SimpleQueue()  # its put may run inside a signal handler
        self._closed = threading.Event()
        self._broken_files: tuple[str, ...] = ()
        self._previous = self._install_handler() if signals else None
        self._signals = signals
        self._loaded = self._contents()
        self._thread = threading.Thread(
            target=self._watch_files if files else self._watch_signals, name="resilience-watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the watch, after a reload in progress."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._requests.put(False)
        if self._signals and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGHUP, self._previous)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether it watches."""
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.close()

    # --- SIGHUP -------------------------------------------------------------------------------

    def _install_handler(self) -> Any:
        """Install the handler of SIGHUP and return the previous one, which is still called if it is a function."""
        if not hasattr(signal, "SIGHUP"):
            raise RuntimeError("this system has no SIGHUP; watch the files, or call reload()")
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("watch(signals=True) needs the main thread: Python handles signals only there")
        previous = signal.getsignal(signal.SIGHUP)

        def on_signal(number: int, frame: FrameType | None) -> None:
            if not self._closed.is_set():
                self._requests.put(True)  # the thread reloads: the interrupted code may hold a lock that a reload needs
            if callable(previous):
                previous(number, frame)

        signal.signal(signal.SIGHUP, on_signal)
        return previous

    def _watch_signals(self) -> None:
        while self._requests.get():
            self._load()

    # --- files --------------------------------------------------------------------------------

    def is_set(self) -> bool:
        """Return whether watchfiles should stop waiting: the watch is closed, or a signal came.

        watchfiles calls this method of its `stop_event`, which is this object.
        """
        return self._closed.is_set() or not self._requests.empty()

    def _watch_files(self) -> None:
        self._loaded = self._settled()
        self._load(report=False)  # applies a change between the first load and this watch, usually none
        while not self._closed.is_set():
            for _ in self._events():
                self._reload_if_changed()
                if self.is_set():
                    break
            if self._take_requests() and not self._closed.is_set():
                self._loaded = self._contents()
                self._load()

    def _reload_if_changed(self) -> None:
        """Reload if the contents differ from those that were loaded last."""
        if self._contents() == self._loaded:
            return
        now = self._settled()
        changed = [path for path in now if now[path] != self._loaded.get(path)]
        if changed and not self._closed.is_set():
            report = any(self._loaded.get(path) != _UNKNOWN for path in changed)
            self._loaded = now  # the contents before the load: the next comparison finds a change during it
            self._load(report=report)

    def _settled(self) -> Contents:
        """Return the contents after writing has ended: half of a file may be valid too."""
        until, now = monotonic() + _REPLACE_TIMEOUT, self._contents()
        while not self._closed.wait(_SETTLE_MS / 1000):
            before, now = now, self._contents()
            if (now == before and all(now.values())) or monotonic() >= until:
                break
        return now

    def _events(self) -> Iterator[object]:
        """Yield after each event in the folders and once per second; ends when the set of folders changes."""
        from watchfiles import watch

        folders = folders_of(self._files())
        yield None  # there is no event for a change between two watches
        if not folders:
            self._closed.wait(_POLL_MS / 1000)
            return
        try:
            for event in watch(
                *(path for path, _ in folders), watch_filter=None, debounce=_SETTLE_MS, step=_SETTLE_MS // 4,
                stop_event=self, rust_timeout=_POLL_MS, yield_on_timeout=True, raise_interrupt=False, recursive=False,
            ):  # fmt: skip
                yield event
                if folders_of(self._files()) != folders:
                    return
        except OSError:
            self._closed.wait(_POLL_MS / 1000)  # a folder was removed: try again

    def _files(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._named(), *self._broken_files)))

    def _contents(self) -> Contents:
        return contents_of(self._files())

    def _take_requests(self) -> bool:
        requested = False
        while True:
            try:
                requested = self._requests.get_nowait() or requested
            except Empty:
                return requested

    def _load(self, *, report: bool = True) -> None:
        """Reload. The watch continues after any error; files with mistakes are watched too."""
        try:
            self._reload(report)
            self._broken_files = ()
        except PolicyError as error:
            problems = (problem for problem in error.problems if problem.line and problem.file)
            self._broken_files = tuple(dict.fromkeys(problem.file for problem in problems))
        except Exception as error:
            self._on_error(error)
        self._loaded = {path: self._loaded.get(path, _UNKNOWN) for path in self._files()}
