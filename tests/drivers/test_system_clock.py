"""Tests of the machine's clock: which monotonic clock it reads, and where that does not exist."""

from __future__ import annotations

import time
from typing import Any

import pytest

from resilience._drivers import system_clock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has this clock")
def test_time_asleep_counts_on_linux() -> None:
    """The clock goes on while the machine sleeps, and reading it calls no Python function."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    now = system_clock.SystemClock.monotonic()
    assert before <= now <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert not hasattr(system_clock.SystemClock.monotonic, "__code__")


@pytest.mark.parametrize("error", [AttributeError, OSError])
def test_a_system_without_this_clock(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    """Python's own monotonic clock is read where there is no other, or where it is forbidden."""

    def refuse(*_: Any) -> float:
        raise error

    monkeypatch.setattr(system_clock.time, "clock_gettime", refuse)
    assert system_clock._monotonic() is time.monotonic
