"""Classifies the methods of ccxt by name: which talk to the exchange, which read, which write, and where the key goes.

Only names are used, and nothing of ccxt is imported. A method that is not known to talk to an exchange is not
wrapped: `parse_*`, `market`, `amount_to_precision`, `sign`, `close`. What is sent over a socket by a method with the
suffix `_ws` is what its twin without the suffix sends by HTTP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = [
    "KEY",
    "MethodInfo",
    "describe_implicit_method",
    "describe_unified_method",
    "is_read",
    "is_set_up",
    "is_socket_call",
    "is_watch",
    "may_write",
    "places_orders",
    "signs_in",
]

KEY = "params.clientOrderId"
"""Where ccxt's unified methods take a client order id."""
_READ = re.compile(r"(?:fetch|load)_")
# Not create_orders: its key would be one per order.
_KEYED = re.compile(r"create_(?!orders)(?:\w+_)?order(?:_with_\w+)?")
# Not cancel_all_orders: sent again, it would also cancel what was placed in between.
_IDEMPOTENT = re.compile(r"cancel_(?!all_)(?:\w+_)?orders?(?:_\w+)?")
# `request`, `fetch` and `fetch2` send whatever they are given.
_WRITE = re.compile(
    r"(?:create|edit|cancel)_(?:\w+_)?orders?(?:_\w+)?|transfer(?:_\w+)?|withdraw|deposit|request|fetch2?"
)
# Helpers that build requests without sending them, or that other methods send by.
_NOT_WRAPPED = re.compile(r".*_(?:request|requests|helper|library|protos)")
_WATCH = re.compile(r"(?:un_)?watch_\w+")
_SOCKET_SUFFIX = "_ws"
_ACTION = re.compile(
    "accept|activate|add|approve|borrow|broadcast|buy|cancel|change|claim|close|create|del|delete|disable|edit|enable"
    "|execute|invalidate|logout|mass|modify|move|new|place|redeem|register|reject|remove|repay|replace|reset|revoke|sell"
    "|send|set|start|submit|toggle|update|verify|withdraw"
)
"""Words in the path of a GET that may do more than read: Deribit places orders by GET, dYdX broadcasts transactions."""
_LISTS = re.compile(r"(?:get|list|query)(?:_.*)?|(?:.*_)?(?:history|preview|records?)")
"""The last part of a path that only reads, whatever its other words are: `get_cancel_on_disconnect`."""
# What ccxt may do before it places an order: signing in, approving its fee, asking for the account. It may be done
# twice, and no order depends on how often it was done.
_SET_UP = re.compile(
    r"(?:fetch|load)_\w+|authenticate(?:_\w+)?|approve_builder_\w+|check_if_standard_tier|estimate_tx_fee"
    r"|find_account_id|get_account_id|get_withdraw_nonce|handle_(?:account_index|builder_fee_approval|token|uta_and_params)"
    r"|initialize_client|is_(?:unified|uta)_enabled|prepare_paradex_domain|query_contracts|retrieve_account"
    r"|set_ref|sign_in"
)
_PLACES = re.compile(r"(?:create|edit)_(?:\w+_)?orders?(?:_\w+)?")


class MethodInfo(NamedTuple):
    """What the name of a method of ccxt says about the method.

    Attributes:
        operation: its name in policies and events.
        read: whether it changes nothing.
        idempotent: whether sending it twice changes nothing more.
        key: the parameter that carries the key of a write, or None.
        path: the template of the endpoint's path, if the method is one endpoint; otherwise None.
    """

    operation: str
    read: bool = False
    idempotent: bool = False
    key: str | None = None
    path: str | None = None


def describe_unified_method(name: str, method: Callable[..., Any], has: Mapping[str, Any]) -> MethodInfo | None:
    """Classify a method of ccxt's unified API; None if it does not talk to the exchange.

    Args:
        name: the name of the attribute, `createOrder` or `create_order`.
        method: its value. ccxt's camelCase names are aliases: the function has the other name.
        has: the exchange's table of the methods that it offers, by camelCase names.
    """
    operation = str(getattr(method, "__name__", name))
    if operation.startswith("_") or _NOT_WRAPPED.fullmatch(operation):
        return None
    if (is_watch(operation) or is_socket_call(operation)) and not _offers_socket(operation, method, has):
        return None
    if _READ.match(operation) or is_watch(operation):
        return MethodInfo(operation, read=True)
    twin = operation.removesuffix(_SOCKET_SUFFIX)
    if _WRITE.fullmatch(twin) is None and _camel_case(operation) not in has:
        return None
    key = KEY if _KEYED.fullmatch(twin) is not None else None
    return MethodInfo(operation, idempotent=_IDEMPOTENT.fullmatch(twin) is not None, key=key)


def describe_implicit_method(name: str, verb: str, path: str, api: object, *, reads_by_get: bool = False) -> MethodInfo:
    """Classify a method of ccxt's implicit API, which is one endpoint, by its HTTP verb and its path.

    Args:
        name: the method's name.
        verb: its HTTP verb.
        path: its path.
        api: which of the exchange's APIs it belongs to, `private` or a list that says so.
        reads_by_get: whether the exchange is known never to write by GET.
    """
    read = not may_write(verb, path, api, reads_by_get=reads_by_get)
    return MethodInfo(name, read=read, idempotent=verb in ("PUT", "DELETE"), path=f"/{path}")


def may_write(verb: str, path: str, api: object, *, reads_by_get: bool = False) -> bool:
    """Return whether a request may change something.

    A GET changes something if its path names an action and its API is not the public one. A POST of the public API,
    such as Hyperliquid's `info`, changes nothing unless its path names an action: Lighter sends orders by one.

    Args:
        verb: its HTTP verb.
        path: the path of its endpoint.
        api: which of the exchange's APIs it belongs to.
        reads_by_get: whether the exchange is known never to write by GET.
    """
    gets = verb in ("GET", "HEAD")
    if gets and reads_by_get:
        return False
    words = str(api).lower()
    public = "public" in words and "private" not in words
    if gets:
        return not public and _names_action(path)
    return not (public and verb == "POST") or _names_action(path)


def is_read(operation: str) -> bool:
    """Return whether a unified method changes nothing, by its name."""
    return _READ.match(operation) is not None


def is_watch(operation: str) -> bool:
    """Return whether a unified method waits for the next update of a stream, or ends a subscription."""
    return _WATCH.fullmatch(operation) is not None


def is_socket_call(operation: str) -> bool:
    """Return whether a unified method sends one request over a socket, and waits for its answer."""
    return operation.endswith(_SOCKET_SUFFIX)


def is_set_up(name: str) -> bool:
    """Return whether ccxt calls a method of this name to prepare a write: what it sends counts as reads."""
    prepares = _SET_UP.fullmatch(name) is not None and not is_socket_call(name)
    return prepares and _NOT_WRAPPED.fullmatch(name) is None


def signs_in(name: str) -> bool:
    """Return whether a method signs a socket in, which all calls that use this socket wait for."""
    return name.startswith("authenticate")


def places_orders(name: str) -> bool:
    """Return whether a unified method returns an order, or a list of orders, that it has placed."""
    return _PLACES.fullmatch(name) is not None


def _names_action(path: str) -> bool:
    parts = [re.sub(r"[^a-z]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", part).lower()) for part in path.split("/")]
    named = [part.strip("_") for part in parts if "{" not in part and part.strip("_")]
    if named and _LISTS.fullmatch(named[-1]) is not None:
        return False
    return any(_ACTION.fullmatch(word) for part in named for word in part.split("_"))


def _offers_socket(operation: str, method: Callable[..., Any], has: Mapping[str, Any]) -> bool:
    """Return whether the exchange offers a method of sockets; one of ccxt's base class may only raise `NotSupported`.

    The table alone does not say: some exchanges have a method that it lacks, and the base class makes the orders of
    many kinds by `create_order_ws`.
    """
    if not has.get("ws"):
        return False
    name = operation.replace("_", "").lower()
    offered = {key.lower(): value for key, value in has.items()}
    if offered.get(name, True) or not str(getattr(method, "__qualname__", "")).startswith("Exchange."):
        return True
    return operation.startswith("create_") and bool(offered.get("createorderws"))


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
