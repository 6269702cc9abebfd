"""Writes progress as text, with an estimate of the time that is left: one line that changes, or a line now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TextIO

__all__ = ["changing_line", "progress_counter", "progress_lines"]

_SECONDS_PER_LINE = 30.0  # of progress in a pipe
_SECONDS_PER_CHANGE = 0.1  # of a line on a terminal


@contextmanager
def progress_counter(label: str, total: int, out: TextIO) -> Iterator[Callable[[], None]]:
    """Count the steps on one line of the terminal, and clear the line at the end."""
    progress = _Progress(label, total)

    def step() -> None:
        print(f"\r\x1b[K{progress.step()}", end="", file=out, flush=True)

    try:
        yield step
    finally:
        print("\r\x1b[K", end="", file=out, flush=True)


def progress_lines(label: str, total: int, out: TextIO) -> Callable[[], None]:
    """Return the step of a progress that prints a line now and then, so that a short run prints none."""
    progress, printed = _Progress(label, total), monotonic()

    def step() -> None:
        nonlocal printed
        text = progress.step()
        if monotonic() - printed >= _SECONDS_PER_LINE:
            printed = monotonic()
            print(text, file=out, flush=True)

    return step


@contextmanager
def changing_line(text: Callable[[], str], out: TextIO) -> Iterator[Callable[[], None]]:
    """Show the latest text on one line, which stays at the end; in a pipe a line now and then.

    Yields:
        A function to call when the text has changed.
    """
    is_terminal, shown = out.isatty(), monotonic()
    interval = _SECONDS_PER_CHANGE if is_terminal else _SECONDS_PER_LINE
    start, end = ("\r\x1b[K", "") if is_terminal else ("", "\n")

    def changed() -> None:
        nonlocal shown
        if monotonic() - shown >= interval:
            shown = monotonic()
            print(start + text(), end=end, file=out, flush=True)

    try:
        yield changed
    finally:
        if is_terminal:
            print(start + text(), file=out, flush=True)


class _Progress:
    """Counts steps and estimates the seconds that are left from those that were needed."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.done = label, total, 0
        self.begun = monotonic()

    def step(self) -> str:
        """Count one more step, and return the text of the progress."""
        self.done += 1
        left = (monotonic() - self.begun) / self.done * max(0, self.total - self.done)
        minutes, seconds = divmod(round(left), 60)
        return f"{self.label} {self.done}/{self.total}, about {minutes}:{seconds:02} left"
