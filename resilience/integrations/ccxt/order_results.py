"""Looks for proof in what a method returned that its orders were placed: an id, and this call's own key.

ccxt makes an order whose id is None of an empty answer. A gateway, or a connection that is out of step, may give an
order the answer of another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._core.call.found_order import repeats_key
from .._write_answers import NO_IDS
from .engine_state import EngineState
from .exchange_facts import WITHOUT_ORDER_ID
from .method_names import places_orders

__all__ = ["TRIALS", "find_problem"]

TRIALS = ("test", "validate", "preview")
"""Parameters by which an exchange checks an order and does not place it."""


def find_problem(
    operation: str, result: Any, key: str | None, state: EngineState, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str | None:
    """Return why a result does not prove that the orders were placed, or None.

    Args:
        operation: the name of the unified method.
        result: what it returned.
        key: the key of the call, or None.
        state: that of the exchange's engine.
        args: the arguments of the call.
        kwargs: its keyword arguments.
    """
    if not places_orders(operation) or _is_trial(args, kwargs):
        return None
    if isinstance(result, list):  # the orders of a batch have keys of their own, if any
        problems = [_find_problem(order, None, state) for order in result]
        return next((problem for problem in problems if problem is not None), None if result else "no order in it")
    return _find_problem(result, key, state)


def _find_problem(order: Any, key: str | None, state: EngineState) -> str | None:
    if not isinstance(order, Mapping):
        return "the answer is no order"
    echo = order.get("clientOrderId")
    if key is not None and echo not in (None, "") and not repeats_key(str(echo), key):
        return f"the answer is that of another order, with the client id {echo!r}"
    if _is_id(order.get("id")) or state.original.id in WITHOUT_ORDER_ID:
        return None
    # Where the exchange is known, its support has checked the response: some have this call's key instead of an id.
    return None if state.support is not None and echo else "the answer has no order id"


def _is_id(value: Any) -> bool:
    """Return whether an exchange gave an id: ccxt makes one of any text on some exchanges, of `null` and pages too."""
    text = str(value).strip()
    return text.lower() not in NO_IDS and not any(character.isspace() or character in "<>{}" for character in text)


def _is_trial(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    values = (*args, *kwargs.values())
    return any(isinstance(value, Mapping) and any(value.get(name) for name in TRIALS) for value in values)
