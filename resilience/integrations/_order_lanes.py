"""Finds the lane of a trading call: cancels, and orders that can only reduce a position, are high-priority.

They take risk off. Their lane has slots and quota of its own, and is rejected last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._core.stages.lanes import CANCEL

__all__ = ["lane_by_parameters", "lane_of"]

_TRUE_STRINGS = ("yes", "true", "1")  # Bitget writes YES and NO
_REDUCE_ONLY = ("reduceOnly", "reduce_only")


def lane_of(operation: str) -> str | Callable[[tuple[Any, ...], Mapping[str, Any]], str | None] | None:
    """Return the lane of an operation, by its name or path.

    Returns:
        The lane of cancels; for other orders the function that finds the lane of a call by its parameters;
        None for everything else.
    """
    name = operation.lower()
    if "cancel" in name and "replace" not in name:  # cancel-and-replace takes on risk like any order
        return CANCEL
    return lane_by_parameters if "order" in name or "place" in name else None


def lane_by_parameters(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """Return the lane of cancels if an order is reduce-only, whichever mapping says so; else None."""
    for parameters in (kwargs, kwargs.get("params"), *args):
        if isinstance(parameters, Mapping) and any(_is_true(parameters.get(name)) for name in _REDUCE_ONLY):
            return CANCEL
    return None


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in _TRUE_STRINGS)
