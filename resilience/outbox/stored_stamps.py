"""Stores what the attempts of a recorded call report, such as their stamps, before it is used."""

from __future__ import annotations

from typing import Any

from .._core.call.send_log import SendLog
from .open_write import OpenWrite, current_write

__all__ = ["new_stamps"]


class _StoredStamps(SendLog):
    """The log of one call. What an attempt reports is stored before it is used."""

    def __init__(self, write: OpenWrite) -> None:
        self._write: OpenWrite | None = None
        super().__init__()
        self._write = write

    def append(self, stamp: float, /) -> None:
        assert self._write is not None
        self._write.row.add_stamp(stamp)
        super().append(stamp)

    def record_stamp(self, stamp: float) -> Any:
        assert self._write is not None
        if not self._write.row.is_async:
            return self.append(stamp)
        return self._record_later(self._write, stamp)

    async def _record_later(self, write: OpenWrite, stamp: float) -> None:
        await write.row.aadd_stamp(stamp)
        super().append(stamp)

    def record_not_executed(self, *, duplicate: bool) -> bool:
        return self._write is None or self._write.record_not_executed(duplicate=duplicate)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "key_missing" and value and self._write is not None:
            self._write.row.store_key_missing()
        if name == "fence" and value is not None and self._write is not None:
            self._write.row.store_window(value.window)
        super().__setattr__(name, value)


def new_stamps() -> SendLog:
    """Return the log that gets the stamps of the current call."""
    return _StoredStamps(current_write())
