"""Compares an order that a lookup found with the call it was looked up for: client id, then symbol and side.

Only what both sides say is compared. A key that belongs to another order must never settle this call's write.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from ..base.abstract_classes import is_mapping
from ..classify.attributes import get
from .lookup_answer import Found, OtherOrderError
from .steps import FailedCall

__all__ = ["CLIENT_ID_FIELDS", "compared", "conflict_of", "repeats_key"]

CLIENT_ID_FIELDS = (
    "clientOid", "clientOrderId", "client_order_id", "clientOrderID", "newClientOrderId", "clOrdId", "clOrdID",
    "cl_ord_id", "orderLinkId", "client_oid", "idempotency_key",
)  # fmt: skip
"""Names under which APIs return the id that the client chose."""
_NESTED = ("data", "result")
_RAW_BODIES = ("_content", "_body", "resilience_body")
"""Attributes of responses with the body: requests and httpx; aiohttp; set by us for other clients."""
_BODIES = ("json", "data", "body", "params")  # arguments in which clients of HTTP take the fields of a request
_LONG_KEY = 12  # characters; behind a prefix a shorter one may be the end of another key
_RANDOM_KEY = 32  # characters; nobody counts at the front of such a key
_SIDES = ({"buy", "b", "bid", "long"}, {"sell", "s", "ask", "short"})


def compared(answer: Any, call: FailedCall, fn: Callable[..., Any]) -> Any:
    """Return what a lookup returned; an order that is not this call's becomes an error, or a find that is foreign.

    Args:
        answer: what the reconciler returned or raised.
        call: the call that is looked up.
        fn: the function of the call.
    """
    conflict = conflict_of(answer, call, fn) if isinstance(answer, Found) else ""
    if conflict == "key":
        return OtherOrderError("the lookup returned an order with another client id")
    return replace(answer, matches=False) if conflict else answer


def conflict_of(found: Found, call: FailedCall, fn: Callable[..., Any]) -> Literal["", "key", "fields"]:
    """Return what contradicts that the order found is this call's: its client id, its other fields, or nothing.

    Args:
        found: what the reconciler returned.
        call: the call that is looked up.
        fn: the function of the call, whose parameters name its positional arguments.
    """
    orders = list(_orders(found.value))
    if not orders:
        return ""
    wanted = _arguments(call, fn)
    if call.key is not None:
        mine = [order for order in orders if _is_mine(order, call.key, wanted)]
        if not mine and any(map(_client_ids, orders)):
            return "key"
        orders = mine or orders[:1]
    return "fields" if any(_other_symbol(wanted, one) or _other_side(wanted, one) for one in orders) else ""


def _orders(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield what may be the order in a result: itself, the body of a response, and what is in its envelope."""
    raw = next((raw for name in _RAW_BODIES if (raw := get(value, name))), None)
    body = value if is_mapping(value) or isinstance(value, list) else _parsed(raw)
    inner = [body, *(body.get(name) for name in _NESTED)] if is_mapping(body) else [body]
    for part in inner:
        yield from (one for one in (part if isinstance(part, list) else [part]) if is_mapping(one))


def _client_ids(order: Mapping[str, Any]) -> list[str]:
    return [str(order[name]) for name in CLIENT_ID_FIELDS if order.get(name) not in (None, "")]


def _is_mine(order: Mapping[str, Any], key: str, wanted: Mapping[str, Any]) -> bool:
    """Return whether an order has the key, or a client id that the caller gave beside the key."""
    client_ids = _client_ids(order)
    return any(repeats_key(one, key) for one in client_ids) or not {*client_ids}.isdisjoint(_texts(wanted))


def repeats_key(echo: str, key: str) -> bool:
    """Return whether a client id in an answer is the key: in another case, with other hyphens, or behind a prefix.

    Programs count their keys: neither `order-12` nor `order-1-2` is `order-1`. So only a prefix may be added, and a
    short key only has a letter with a hyphen before it (`t-a1`).
    """
    answered, mine = echo.casefold(), key.casefold()
    # An API may drop the hyphens, or add those of a UUID; between others they are digits of a number.
    if answered in (mine, _without_hyphens(mine)) or _without_hyphens(answered) == mine:
        return True
    if not answered.endswith(mine):
        return False
    prefix = answered[: -len(mine)]
    if len(mine) < _LONG_KEY:
        return len(prefix) == 2 and prefix[0].isalpha() and prefix[1] == "-"
    return not (prefix[-1].isdigit() and mine[0].isdigit()) or len(mine) >= _RANDOM_KEY


def _without_hyphens(text: str) -> str:
    return text.replace("-", "").replace("_", "")


def _arguments(call: FailedCall, fn: Callable[..., Any]) -> Mapping[str, Any]:
    """Return the arguments of a call by their names, and the fields of the request that it sends."""
    try:
        bound = inspect.signature(fn).bind_partial(*call.args, **call.kwargs)
        bound.apply_defaults()
        named = {**bound.arguments, **call.kwargs}
    except (TypeError, ValueError):  # a builtin without a signature
        named = dict(call.kwargs)
    request = next((fields for one in call.args if (fields := _fields_of_request(one))), {})
    for name in _BODIES:
        request = {**request, **_fields(named.get(name))}
    return {**request, **named}


def _fields_of_request(request: Any) -> Mapping[str, Any]:
    """Return the fields in the query and in the body of a finished request of any HTTP client."""
    url = get(request, "url")
    if url is None:
        return {}
    body = get(request, "_content") or get(request, "body")  # httpx, then requests and aiohttp
    return {
        **_fields(urlsplit(str(url)).query),
        **_fields(body if isinstance(body, (str, bytes)) else get(body, "_value")),
    }


def _fields(body: Any) -> Mapping[str, Any]:
    """Return the fields of a body as a client takes it: a mapping, JSON, or a form."""
    if is_mapping(body):
        return body
    parsed = _parsed(body)
    if is_mapping(parsed):
        return parsed
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    return dict(parse_qsl(text)) if isinstance(text, str) else {}


def _parsed(raw: Any) -> Any:
    """Return what JSON says; None for everything else."""
    try:
        return json.loads(raw) if isinstance(raw, (str, bytes)) else None
    except (ValueError, RecursionError):
        return None


def _texts(value: Any, depth: int = 4) -> Iterator[str]:
    if isinstance(value, (str, int)):
        yield str(value)
    elif depth and (is_mapping(value) or isinstance(value, (list, tuple))):
        for one in value.values() if is_mapping(value) else value:
            yield from _texts(one, depth - 1)


def _other_symbol(wanted: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
    """Return whether both name a symbol and neither is the beginning of the other (`BTC/USDT` and `BTCUSDT_SPBL`)."""
    names = [_letters(fields.get("symbol")) for fields in (wanted, order)]
    return all(names) and not (names[0].startswith(names[1]) or names[1].startswith(names[0]))


def _other_side(wanted: Mapping[str, Any], order: Mapping[str, Any]) -> bool:
    """Return whether one is a purchase and the other is a sale; words that are neither are not compared."""
    sides = [_side(fields.get("side")) for fields in (wanted, order)]
    return None not in sides and sides[0] != sides[1]


def _side(value: Any) -> int | None:
    word = value.lower() if isinstance(value, str) else ""
    return next((index for index, words in enumerate(_SIDES) if word in words), None)


def _letters(value: Any) -> str:
    return "".join(filter(str.isalnum, value)).upper() if isinstance(value, str) else ""
