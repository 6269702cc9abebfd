"""Classifies the methods of ccxt by name: which talk to the exchange, which read, which write, and where the key goes.

Only names are used, and nothing of ccxt is imported. A method that is not known to talk to an exchange is not
wrapped: `parse_*`, `market`, `amount_to_precision`, `sign`, `close`, everything of sockets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["KEY", "MethodInfo", "describe_implicit_method", "describe_unified_method"]

KEY = "params.clientOrderId"
"""Where ccxt's unified methods take a client order id."""
_READ = re.compile(r"(?:fetch|load)_")
# Not create_orders: its key would be one per order.
_KEYED = re.compile(r"create_(?!orders)(?:\w+_)?order(?:_with_\w+)?")
# Not cancel_all_orders: sent again, it would also cancel what was placed in between.
_IDEMPOTENT = re.compile(r"cancel_(?!all_)(?:\w+_)?orders?(?:_\w+)?")
_WRITE = re.compile(r"(?:create|edit|cancel)_(?:\w+_)?orders?(?:_\w+)?|transfer(?:_\w+)?|withdraw|deposit|request")
# Sockets, and helpers that build requests without sending them.
_NOT_WRAPPED = re.compile(r"(?:un_)?watch_.*|.*_(?:ws|request|requests|helper|library|protos)")
_ACTION = re.compile(
    "add|borrow|buy|cancel|change|close|create|edit|modify|new|place|redeem|remove|repay|sell|send|set|submit|update"
    "|withdraw"
)
"""Words in the path of a private GET that may do more than read: some exchanges (Deribit) place orders by GET."""


class MethodInfo(NamedTuple):
    """What the name of a method says about it.

    Attributes:
        operation: its name in policies and events.
        read: whether it changes nothing.
        idempotent: whether sending it twice changes nothing more.
        key: the parameter that carries the key of a write, or None.
    """

    operation: str
    read: bool = False
    idempotent: bool = False
    key: str | None = None


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
    if _READ.match(operation):
        return MethodInfo(operation, read=True)
    if _WRITE.fullmatch(operation) is None and _camel_case(operation) not in has:
        return None
    key = KEY if _KEYED.fullmatch(operation) is not None else None
    return MethodInfo(operation, idempotent=_IDEMPOTENT.fullmatch(operation) is not None, key=key)


def describe_implicit_method(name: str, verb: str, path: str, api: object, *, reads_by_get: bool = False) -> MethodInfo:
    """Classify a method of ccxt's implicit API, which is one endpoint, by its HTTP verb.

    A private GET whose path names an action is not a read.

    Args:
        name: the method's name.
        verb: its HTTP verb.
        path: its path.
        api: which of the exchange's APIs it belongs to, `private` or a list that says so.
        reads_by_get: whether the exchange is known never to write by GET.
    """
    private = "private" in str(api).lower()
    words = re.findall(r"[a-z]+", re.sub(r"(?=[A-Z])", "_", path).lower())
    may_write = private and not reads_by_get and any(_ACTION.fullmatch(word) for word in words)
    read = verb in ("GET", "HEAD") and not may_write
    return MethodInfo(name, read=read, idempotent=verb in ("PUT", "DELETE"))


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
