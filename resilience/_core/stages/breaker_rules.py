"""Decides when a closed breaker opens, from what its window has counted."""

from __future__ import annotations

from ..policy.sections import BreakerSettings
from ..policy.units import Calls
from .outcome_window import CallCountWindow, OutcomeWindow

__all__ = ["new_window", "should_open"]


def new_window(settings: BreakerSettings, now: float) -> OutcomeWindow | CallCountWindow:
    """Return an empty window of the kind that the settings name: of seconds, or of calls."""
    span = settings.window
    return CallCountWindow(span.count, now) if isinstance(span, Calls) else OutcomeWindow(span, now)


def should_open(
    settings: BreakerSettings, consecutive_failures: int, window: OutcomeWindow | CallCountWindow, now: float
) -> bool:
    """Return whether the last settled attempt opens the breaker: too many failures in a row, or too high a rate."""
    if settings.consecutive is not None and consecutive_failures >= settings.consecutive:
        return True
    succeeded, failed, slow = window.counts(now)  # the slow ones are among those that succeeded
    settled, span = succeeded + failed, settings.window
    # A window of fewer calls than `min_calls` counts once it is full.
    if settled < (min(settings.min_calls, span.count) if isinstance(span, Calls) else settings.min_calls):
        return False
    if settings.failure_rate is not None and failed / settled >= settings.failure_rate:
        return True
    return settings.slow_rate is not None and slow / settled >= settings.slow_rate
