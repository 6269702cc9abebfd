"""Logs the errors of handlers: the first of a kind with its traceback, the others as a count."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from traceback import format_exception
from typing import Any

from .._core.base.event import is_power_of_ten
from .._printable import printable

__all__ = ["HandlerLog"]

_MAX_KINDS = 256
_MAX_TRACE = 8000  # characters; the end says what happened


class HandlerLog:
    """Counts the errors of handlers, so that one that fails on every update does not flood the log.

    An error is of the same kind as another if the same handler raised the same class at the same line.
    """

    def __init__(self, write: Callable[..., None]) -> None:
        """Take the function that writes a line: `write(event, handler, error, trace, times)`."""
        self._write = write
        self._times: OrderedDict[Any, int] = OrderedDict()

    def record(self, event: str, handler: str, error: BaseException) -> None:
        """Log an error if it is the first of its kind, then with its traceback, or the 10th, the 100th and so on."""
        kind = event, handler, type(error), _place(error)
        times = self._times[kind] = self._times.pop(kind, 0) + 1
        if len(self._times) > _MAX_KINDS:
            self._times.popitem(last=False)
        if times > 1 and not is_power_of_ten(times):
            return
        try:
            self._write(event, handler, error, _trace_of(error) if times == 1 else "", times)
        except Exception:  # a logger that the program configured wrongly must not end the handlers
            pass


def _place(error: BaseException) -> tuple[str, int] | None:
    """Return the file and line where an error was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return None if trace is None else (trace.tb_frame.f_code.co_filename, trace.tb_lineno)


def _trace_of(error: BaseException) -> str:
    """Return the traceback as text; what would control a terminal is written as an escape."""
    try:
        text = "".join(format_exception(error))
    except Exception:  # its own `__str__` may raise
        text = f"{type(error).__name__}, whose text cannot be read"
    return printable(text, keep="\n")[-_MAX_TRACE:].rstrip()
