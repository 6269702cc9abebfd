"""Computes the vertical scales of the charts: the height at which a value is drawn, in per cent, and the grid lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil, floor, log10
from typing import NamedTuple

__all__ = ["Scale", "linear", "logarithmic", "nice_steps"]


class Scale(NamedTuple):
    """A vertical scale: `at` maps a value to per cent from the bottom, `ticks` are (value, label)."""

    at: Callable[[float], float]
    ticks: list[tuple[float, str]]


def nice_steps(most: float, steps: int = 4) -> list[float]:
    """Return about `steps` round numbers from 0 up, the last of which is at least `most`."""
    if most <= 0:
        return [0.0, 1.0]
    # The smallest of 1, 2, 2.5, 5 and 10 times a power of ten that needs no more than `steps` steps.
    rough = most / steps
    magnitude: float = 10.0 ** floor(log10(rough))
    step = next(magnitude * factor for factor in (1, 2, 2.5, 5, 10) if magnitude * factor >= rough - 1e-12)
    return [n * step for n in range(ceil(most / step - 1e-9) + 1)]


def linear(values: Iterable[float], label: Callable[[float], str]) -> Scale:
    """Return a scale from 0 to a round number that is not below any value."""
    ticks = nice_steps(max(values, default=0.0))
    top = ticks[-1]
    return Scale(lambda value: 100 * min(value, top) / top, [(tick, label(tick)) for tick in ticks])


def logarithmic(values: Iterable[float], label: Callable[[float], str]) -> Scale:
    """Return a logarithmic scale with a grid line at each power of ten."""
    known = [max(value, 1e-3) for value in values] or [0.1]
    # Widened by a thousandth, so that no value lies on the edge of the chart.
    low, high = floor(log10(min(known) * 0.999)), ceil(log10(max(known) * 1.001))
    high = max(high, low + 1)
    ticks = [(10.0**power, label(10.0**power)) for power in range(low, high + 1)]
    return Scale(lambda value: 100 * (min(max(log10(max(value, 1e-9)), low), high) - low) / (high - low), ticks)
