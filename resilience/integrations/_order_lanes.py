"""Which calls of a trading client are urgent: cancels, and orders that can only reduce a position.

They are what takes risk off, so they keep slots and quota of their own, and are turned away last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._core.stages.admission import CANCEL

__all__ = ["lane_of", "reducing"]

_YES = ("yes", "true", "1")
_NAMES = ("reduceOnly", "reduce_only")


def lane_of(operation: str) -> str | Callable[[tuple[Any, ...], Mapping[str, Any]], str | None] | None:
    """Return the lane of an operation by its name or path: cancels always, other orders by their parameters.

    A cancel that places the order anew takes on risk like any order.
    """
    name = operation.lower()
    if "cancel" in name and "replace" not in name:
        return CANCEL
    return reducing if "order" in name or "place" in name else None


def reducing(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    """Return the lane of an order by its parameters, in whichever mapping they travel."""
    for given in (kwargs, kwargs.get("params"), *args):
        if isinstance(given, Mapping) and any(_yes(given.get(name)) for name in _NAMES):
            return CANCEL
    return None


def _yes(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in _YES)
