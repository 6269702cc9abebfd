"""Writes the orders of a request one after the other, each with an item of its own in the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...exchange.order_store import Order, RefusedError
from ...rest.endpoint import Endpoint, RequestContext
from ..translation import translated
from .okx_answers import FAULTS, REFUSALS, format_items, item, refused
from .okx_requests import items_of, named_id_of

__all__ = ["write_endpoint"]

Write = Callable[[RequestContext, Mapping[str, Any]], Order]
Names = tuple[str, str]
"""The names of the order id and of the client id."""
_MAX_ITEMS = 20


def write_endpoint(write: Write, kind: str, names: Names = ("ordId", "clOrdId")) -> Endpoint:
    """Return an endpoint that writes each order of its request.

    Args:
        write: writes one order.
        kind: `place`, `cancel` or `amend`.
        names: of the order id and of the client id.
    """
    return Endpoint(
        route=partial(_each, write, names),
        kind=kind,
        key=named_id_of,
        format_reply=format_items,
        fault_answers=FAULTS,
        fault_data=partial(_blank_items, names),
    )


def _each(write: Write, names: Names, context: RequestContext) -> list[dict[str, str]]:
    """Return the items of the answer; each order of a batch succeeds or fails by itself.

    Raises:
        RefusedError: the number of orders is wrong.
    """
    items = items_of(context.request)
    if not 0 < len(items) <= _MAX_ITEMS:
        raise refused("51000", "Parameter number of orders error")
    return [_one(write, names, context, params) for params in items]


def _one(write: Write, names: Names, context: RequestContext, params: Mapping[str, str]) -> dict[str, str]:
    try:
        order = translated(write, REFUSALS)(context, params)
    except RefusedError as error:
        return item(_ids(names, "", params), context.now, error.code, error.message)
    return item(_ids(names, order.order_id, params), context.now)


def _ids(names: Names, order_id: str, params: Mapping[str, str]) -> dict[str, str]:
    return {names[0]: order_id, names[1]: params.get(names[1], "")}


def _blank_items(names: Names, context: RequestContext) -> list[dict[str, str]]:
    """Return the items of an answer that says of no order what became of it."""
    return [item(_ids(names, "", params), context.now) for params in items_of(context.request)]
