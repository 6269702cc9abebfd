"""Waits for what another thread does, with a bound that no machine reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], seconds: float = 30.0) -> T:
    """Return the first true value of a condition."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            assert value
            return value
        time.sleep(0.002)
