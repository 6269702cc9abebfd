"""Shares the limit of new connections among all clients of one host, because a venue counts them per address."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from .._core.base.fork_safety import new_lock
from .._core.policy.stream_limits import MessageRate
from .._core.stages.rate_window import RateWindow
from .._entry.policies import Policies
from .session.connection import rate_window

__all__ = ["connect_window"]

_lock = new_lock()
# Weak keys: policies that are no longer used take their windows with them.
_windows: WeakKeyDictionary[Policies, dict[tuple[str, MessageRate], RateWindow]] = WeakKeyDictionary()


def connect_window(policies: Policies, rate: MessageRate, host: str) -> RateWindow:
    """Return the window that all clients of these policies share for a host and a rate. Safe across threads."""
    with _lock:
        return _windows.setdefault(policies, {}).setdefault((host, rate), rate_window(rate))
