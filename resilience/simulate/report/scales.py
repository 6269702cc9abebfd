"""Where a value stands in a chart, in per cent of its height, and which lines are drawn across it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import ceil, floor, log10
from typing import NamedTuple

__all__ = ["Scale", "linear", "logarithmic", "nice_steps"]


class Scale(NamedTuple):
    """A vertical scale: `at` gives per cent from the bottom, `ticks` are (value, words)."""

    at: Callable[[float], float]
    ticks: list[tuple[float, str]]


def nice_steps(most: float, steps: int = 4) -> list[float]:
    """Return round numbers from 0 on, of which the last is at least `most`."""
    if most <= 0:
        return [0.0, 1.0]
    rough = most / steps
    size: float = 10.0 ** floor(log10(rough))
    step = next(size * one for one in (1, 2, 2.5, 5, 10) if size * one >= rough - 1e-12)
    return [n * step for n in range(ceil(most / step - 1e-9) + 1)]


def linear(values: Iterable[float], say: Callable[[float], str]) -> Scale:
    """Return a scale from 0 to a round number above all values."""
    ticks = nice_steps(max(values, default=0.0))
    top = ticks[-1]
    return Scale(lambda value: 100 * min(value, top) / top, [(one, say(one)) for one in ticks])


def logarithmic(values: Iterable[float], say: Callable[[float], str]) -> Scale:
    """Return a scale whose lines are ten times each other."""
    known = [max(one, 1e-3) for one in values] or [0.1]
    low, high = floor(log10(min(known) * 0.999)), ceil(log10(max(known) * 1.001))
    high = max(high, low + 1)
    ticks = [(10.0**power, say(10.0**power)) for power in range(low, high + 1)]
    return Scale(lambda value: 100 * (min(max(log10(max(value, 1e-9)), low), high) - low) / (high - low), ticks)
