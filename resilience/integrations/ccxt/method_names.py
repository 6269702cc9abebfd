"""What ccxt's method names say: which of them talk to the exchange, which read, which write, where the key goes.

Names alone decide, so nothing of ccxt is imported. What is not known to talk to an exchange is left
alone: `parse_*`, `market`, `amount_to_precision`, `sign`, `close`, everything of sockets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["KEY", "Kind", "implicit", "unified"]

KEY = "params.clientOrderId"
"""Where ccxt's unified calls carry a client order id."""
_READ = re.compile(r"(?:fetch|load)_")
_KEYED = re.compile(r"create_(?!orders)(?:\w+_)?order(?:_with_\w+)?")
_HARMLESS = re.compile(r"cancel_(?!all_)(?:\w+_)?orders?(?:_\w+)?")
_WRITE = re.compile(r"(?:create|edit|cancel)_(?:\w+_)?orders?(?:_\w+)?|transfer(?:_\w+)?|withdraw|deposit|request")
_ELSEWHERE = re.compile(r"(?:un_)?watch_.*|.*_(?:ws|request|requests|helper|library|protos)")
_DOING = re.compile(
    "add|borrow|buy|cancel|change|close|create|edit|modify|new|place|redeem|remove|repay|sell|send|set|submit|update"
    "|withdraw"
)
"""Words in the path of a private GET that may do more than read: some exchanges place orders by GET."""


class Kind(NamedTuple):
    """What is known of a method by its name.

    Attributes:
        operation: its name in policies and events.
        read: it changes nothing.
        harmless: sending it twice changes nothing more.
        key: the parameter that carries the key of a write, or None.
    """

    operation: str
    read: bool = False
    harmless: bool = False
    key: str | None = None


def unified(name: str, method: Callable[..., Any], has: Mapping[str, Any]) -> Kind | None:
    """Return the kind of a unified method, or None when it does not talk to the exchange.

    Args:
        name: the name that was asked for, `createOrder` or `create_order`.
        method: what stands under it; ccxt's camelCase names are aliases of the others.
        has: the exchange's table of what it offers, by camelCase names.
    """
    own = str(getattr(method, "__name__", name))
    if own.startswith("_") or _ELSEWHERE.fullmatch(own):
        return None
    if _READ.match(own):
        return Kind(own, read=True)
    if _WRITE.fullmatch(own) is None and _camel(own) not in has:
        return None
    return Kind(
        own, harmless=_HARMLESS.fullmatch(own) is not None, key=KEY if _KEYED.fullmatch(own) is not None else None
    )


def implicit(name: str, verb: str, path: str, api: object, *, reads_by_get: bool = False) -> Kind:
    """Return the kind of a method that stands for one endpoint: its HTTP verb decides.

    A private GET whose path names a deed is no read, unless the exchange is known never to write by GET.
    """
    private = "private" in str(api).lower()
    words = re.findall(r"[a-z]+", re.sub(r"(?=[A-Z])", "_", path).lower())
    doing = private and not reads_by_get and any(_DOING.fullmatch(word) for word in words)
    read = verb in ("GET", "HEAD") and not doing
    return Kind(name, read=read, harmless=verb in ("PUT", "DELETE"))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
