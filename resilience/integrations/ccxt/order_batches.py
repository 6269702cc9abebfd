"""Splits a batch of ccxt's into the calls of single orders that it stands for, each with a client order id of its own.

What became of an item is settled by the single call, so it has the same arguments as the batch has for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from .order_results import TRIALS

__all__ = ["SINGLE_CALLS", "Batch", "BatchItem", "KeyMaker", "split_batch"]

SINGLE_CALLS: Mapping[str, str] = {
    "create_orders": "create_order",
    "edit_orders": "edit_order",
    "cancel_orders": "cancel_order",
    "cancel_orders_for_symbols": "cancel_order",
}
"""The methods that send several orders in one request, and what sends one of them."""
_FIELDS = ("symbol", "type", "side", "amount", "price")
_LISTS = ("origClientOrderIdList", "clientOrderIds", "clientOids", "clOrdId", "clientOrderId")
"""Parameters by which cancels take client order ids in place of the exchange's own."""


class KeyMaker(NamedTuple):
    """How orders are named by client order ids.

    Attributes:
        names: the parameters that may carry the id of a new order; it is put into the first.
        make: makes one.
        to_cancel: the parameter by which a single cancel takes it.
        common_wins: parameters of all orders outrank those of one: ccxt merges them into each, as the body is a list.
    """

    names: Sequence[str]
    make: Callable[[], str]
    to_cancel: str
    common_wins: bool = False

    def merged(self, common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a single order that stands for one of a batch."""
        return {**own, **common} if self.common_wins else {**common, **own}


class BatchItem(NamedTuple):
    """One order of a batch, as a call of its own.

    Attributes:
        args: the arguments of the single call.
        symbol: the market.
        key: the client order id of a new order; None for a change of one that is there.
        ids: what the answer may call the order by: the exchange's id of it, or the client order id.
    """

    args: tuple[Any, ...]
    symbol: Any
    key: str | None
    ids: tuple[str, ...]


class Batch(NamedTuple):
    """A batch: the arguments to send it with, and its items in the order given."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    items: list[BatchItem]


def split_batch(method: Callable[..., Any], args: Any, kwargs: Any, keys: KeyMaker) -> Batch | None:
    """Split the arguments of a call; None if they are none of a batch, or if the exchange is only to check it.

    Raises:
        ValueError: two of its orders would have the same client order id.
    """
    try:
        bound = inspect.signature(method).bind(*args, **kwargs)
    except TypeError:
        return None  # the method itself says what is wrong
    given: dict[str, Any] = bound.arguments
    common = given.get("params") or {}
    if not isinstance(common, Mapping) or _is_trial(common):
        return None
    if method.__name__ == "cancel_orders":
        items = list(_cancels(given.get("ids"), given.get("symbol"), common, keys.to_cancel))
    else:
        items = _items(method.__name__, given, common, keys)
    _check_distinct(items)
    return Batch(bound.args, bound.kwargs, items) if items else None


def _items(operation: str, given: dict[str, Any], common: Mapping[str, Any], keys: KeyMaker) -> list[BatchItem]:
    """Return the items of a list of orders, and put that list with its client order ids in place of the one given."""
    orders: Any = given.get("orders")
    if not isinstance(orders, (list, tuple)) or not all(map(_is_order, orders)):
        return []
    if operation == "create_orders":
        orders = given["orders"] = [_with_key(order, common, keys) for order in orders]
    make = {"create_orders": _new_order, "edit_orders": _amendment}.get(operation, _cancel_of_order)
    return [make(order, common, keys) for order in orders]


def _is_order(order: Any) -> bool:
    return isinstance(order, Mapping) and not _is_trial(_params_of(order))


def _params_of(order: Mapping[str, Any]) -> Mapping[str, Any]:
    params = order.get("params")
    return params if isinstance(params, Mapping) else {}  # as ccxt reads them


def _is_trial(params: Mapping[str, Any]) -> bool:
    return any(params.get(name) for name in TRIALS)


def _with_key(order: Mapping[str, Any], common: Mapping[str, Any], keys: KeyMaker) -> dict[str, Any]:
    """Return an order with a client order id, in a copy: callers share their mappings among calls."""
    params = dict(_params_of(order))
    if _client_id(keys.merged(common, params), keys) is None:
        params[keys.names[0]] = keys.make()
    return {**order, "params": params}


def _client_id(params: Mapping[str, Any], keys: KeyMaker) -> str | None:
    return next((str(params[name]) for name in keys.names if params.get(name)), None)


def _new_order(order: Mapping[str, Any], common: Mapping[str, Any], keys: KeyMaker) -> BatchItem:
    params = keys.merged(common, _params_of(order))
    key = _client_id(params, keys)
    assert key is not None, "each order has got one"
    return BatchItem((*map(order.get, _FIELDS), params), order.get("symbol"), key, (key,))


def _amendment(order: Mapping[str, Any], common: Mapping[str, Any], keys: KeyMaker) -> BatchItem:
    params, own = keys.merged(common, _params_of(order)), order.get("id")
    args = (own, *map(order.get, _FIELDS), params)
    return BatchItem(args, order.get("symbol"), None, _named(own, _client_id(params, keys)))


def _cancel_of_order(order: Mapping[str, Any], common: Mapping[str, Any], keys: KeyMaker) -> BatchItem:
    own, symbol, client_id = order.get("id"), order.get("symbol"), order.get("clientOrderId") or order.get("clOrdId")
    params = {**common, keys.to_cancel: client_id} if client_id else dict(common)
    return BatchItem((own, symbol, params), symbol, None, _named(own, client_id))


def _named(*ids: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in ids if one)


def _cancels(ids: Any, symbol: Any, common: Mapping[str, Any], name: str) -> Iterator[BatchItem]:
    """Yield the cancels of a batch: by client order ids where `params` has some, else by the exchange's own."""
    rest = {one: value for one, value in common.items() if one not in _LISTS}
    by_client = _listed(next(filter(None, map(common.get, _LISTS)), None))
    if by_client and _listed(ids):
        return  # whether an exchange cancels both differs: the call is one of a whole
    for client_id in by_client:
        yield BatchItem((None, symbol, {**rest, name: client_id}), symbol, None, _named(client_id))
    for own in _listed(ids):
        yield BatchItem((own, symbol, rest), symbol, None, _named(own))


def _listed(ids: Any) -> Sequence[Any]:
    if isinstance(ids, str):
        return [ids]
    return ids if isinstance(ids, (list, tuple)) else ()


def _check_distinct(items: Sequence[BatchItem]) -> None:
    keys = [item.key for item in items if item.key is not None]
    twice = next((key for index, key in enumerate(keys) if key in keys[:index]), None)
    if twice is not None:
        raise ValueError(f"two orders of this batch have the client order id {twice!r}")
