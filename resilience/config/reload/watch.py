"""Reloads when files change: a daemon thread, watchfiles, and SIGHUP on request. The only importer of watchfiles.

The law of this file: what counts is what the files say, not what a file system tells. Folders are
watched, since editors and Kubernetes replace files instead of writing them; after anything that
happens there, and once a second whatever is told, the files' contents are compared with those that
were loaded last. Nothing ends the watch but `close`: neither a bad file nor one that is gone.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, Self

from ...errors import PolicyError

__all__ = ["Watch"]

_LOOK = 1000  # milliseconds between two looks when nothing is told
_SETTLE = 40  # milliseconds in which changes are taken together: an editor makes several
_PATIENCE = 2.0  # seconds after which a file that is not there, or empty, is not just being replaced
_MOST_BYTES = 2_000_000  # of a file; a longer one is refused by the loader anyway
_UNSEEN = "named by a file, and read by a load, before anybody looked at it"
Contents = dict[str, str | None]
"""What each file holds, as a digest; None for one that is not there, empty for one that holds nothing."""


class Watch:
    """A watch over policy files, until it is closed; as a context manager it closes itself.

    A program that forks has to watch anew in the child: threads do not survive a fork.
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
        """Begin to watch.

        Args:
            named: returns the files that a reload reads.
            reload: reads them; raises `PolicyError` for a mistake in them, which it has told already. With False it
                tells nothing but news.
            broken: is told of every other error of a reload.
            files: watch the files.
            signals: reload on SIGHUP.

        Raises:
            ModuleNotFoundError: files are to be watched, and watchfiles is not installed.
            RuntimeError: signals are asked for outside the main thread, or on a system without SIGHUP.
        """
        if files and find_spec("watchfiles") is None:
            told = "watching policy files needs watchfiles: pip install 'resilience-middleware[watch]'"
            raise ModuleNotFoundError(f"{told}; reload() and watch(files=False, signals=True) need nothing")
        self._named, self._reload, self._broken = named, reload, broken
        self._asked: SimpleQueue[bool] = SimpleQueue()  # its put may run inside a signal handler
        self._over = threading.Event()
        self._mentioned: tuple[str, ...] = ()
        self._former = self._listen() if signals else None
        self._signals = signals
        self._loaded = self._contents()
        self._thread = threading.Thread(
            target=self._watch_files if files else self._watch_signals, name="resilience-watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """End the watch; a reload that is under way ends first."""
        if self._over.is_set():
            return
        self._over.set()
        self._asked.put(False)
        if self._signals and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGHUP, self._former)
        if threading.current_thread() is not self._thread:
            self._thread.join()

    @property
    def alive(self) -> bool:
        """Tell whether it watches."""
        return self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.close()

    # --- SIGHUP -------------------------------------------------------------------------------

    def _listen(self) -> Any:
        """Take SIGHUP; return who had it before, who hears of it still if it is a function."""
        if not hasattr(signal, "SIGHUP"):
            raise RuntimeError("this system has no SIGHUP; watch the files, or call reload()")
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("watch(signals=True) is for the main thread: Python lets no other take signals")
        former = signal.getsignal(signal.SIGHUP)

        def heard(number: int, frame: FrameType | None) -> None:
            if not self._over.is_set():
                self._asked.put(True)  # the thread reloads: here the program may hold a lock that a reload needs
            if callable(former):
                former(number, frame)

        signal.signal(signal.SIGHUP, heard)
        return former

    def _watch_signals(self) -> None:
        while self._asked.get():
            self._load()

    # --- files --------------------------------------------------------------------------------

    def is_set(self) -> bool:
        """Tell watchfiles to come back: the watch is over, or a signal has come."""
        return self._over.is_set() or not self._asked.empty()

    def _watch_files(self) -> None:
        self._loaded = self._settled()
        self._load(tell=False)  # what changed between the first load and this watch; mostly nothing
        while not self._over.is_set():
            for _ in self._told():
                self._look()
                if self.is_set():
                    break
            if self._was_asked() and not self._over.is_set():
                self._loaded = self._contents()
                self._load()

    def _look(self) -> None:
        """Reload if the files say something else than they did."""
        if self._contents() == self._loaded:
            return
        now = self._settled()
        news = [one for one in now if now[one] != self._loaded.get(one)]
        if news and not self._over.is_set():
            tell = any(self._loaded.get(one) != _UNSEEN for one in news)
            self._loaded = now  # what was there before the load: a change during it is found by the next look
            self._load(tell=tell)

    def _settled(self) -> Contents:
        """Return what the files hold when nobody is writing them any more: half a file may be a good one."""
        until, now = monotonic() + _PATIENCE, self._contents()
        while not self._over.wait(_SETTLE / 1000):
            before, now = now, self._contents()
            if (now == before and all(now.values())) or monotonic() >= until:
                break
        return now

    def _told(self) -> Iterator[object]:
        """Yield whenever something happened in the folders, and once a second; ends when they are other ones."""
        from watchfiles import watch

        folders = self._folders()
        yield None  # what happened between two watches was told to nobody
        if not folders:
            self._over.wait(_LOOK / 1000)
            return
        try:
            for told in watch(
                *(path for path, _ in folders), watch_filter=None, debounce=_SETTLE, step=_SETTLE // 4, stop_event=self,
                rust_timeout=_LOOK, yield_on_timeout=True, raise_interrupt=False, recursive=False,
            ):  # fmt: skip
                yield told
                if self._folders() != folders:
                    return
        except OSError:
            self._over.wait(_LOOK / 1000)  # a folder went away meanwhile: look again

    def _folders(self) -> list[tuple[str, int]]:
        """Return the folders of the files, and of what they link to, each with what tells it from a later one."""
        found = {str(Path(one).absolute().parent) for one in self._files()}
        found |= {os.path.dirname(os.path.realpath(one)) for one in self._files()}
        return sorted((one, os.stat(one).st_ino) for one in found if os.path.isdir(one))

    def _files(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._named(), *self._mentioned)))

    def _contents(self) -> Contents:
        return {one: _digest(one) for one in self._files()}

    def _was_asked(self) -> bool:
        asked = False
        while True:
            try:
                asked = self._asked.get_nowait() or asked
            except Empty:
                return asked

    def _load(self, *, tell: bool = True) -> None:
        """Reload; whatever that ends in, the watch goes on. Files with mistakes are watched too."""
        try:
            self._reload(tell)
            self._mentioned = ()
        except PolicyError as error:
            self._mentioned = tuple(dict.fromkeys(one.file for one in error.problems if one.line and one.file))
        except Exception as error:
            self._broken(error)
        self._loaded = {one: self._loaded.get(one, _UNSEEN) for one in self._files()}


def _digest(path: str) -> str | None:
    try:
        with open(path, "rb") as file:
            held = file.read(_MOST_BYTES)
        return sha256(held).hexdigest() if held else ""
    except (OSError, ValueError):
        return None
