"""The windows of new connections: a venue counts an address, so all clients of one host share theirs."""

from __future__ import annotations

from threading import Lock
from weakref import WeakKeyDictionary

from .._core.policy.stream_limits import MessageRate
from .._core.stages.rate_window import RateWindow
from .._entry.policies import Policies
from .session.connection import gauge_of

__all__ = ["window_of"]

_lock = Lock()
_windows: WeakKeyDictionary[Policies, dict[tuple[str, MessageRate], RateWindow]] = WeakKeyDictionary()


def window_of(policies: Policies, pace: MessageRate, host: str) -> RateWindow:
    """Return the one window of these policies for a host at a pace. Safe across threads."""
    with _lock:
        return _windows.setdefault(policies, {}).setdefault((host, pace), gauge_of(pace))
