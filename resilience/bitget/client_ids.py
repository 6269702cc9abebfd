"""Checks the client id of an order before it is sent: Bitget's rules, and whether the request carries the key.

Bitget documents different rules for the same endpoints, so this one accepts what any of them accepts: an order that
Bitget takes is never rejected here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .._core.call.context import CurrentCall
from .operations import Operation

__all__ = ["check_client_id", "check_key"]

_V2 = re.compile(r"[0-9A-Za-z_:#+\-./ ]{1,50}")
_V3 = re.compile(r"[0-9A-Za-z_:\-./]{1,32}")


def check_client_id(name: str, client_id: Any, *, unified: bool) -> None:
    """Check the client id of an order.

    Args:
        name: the parameter, for the message.
        client_id: its value; None and an empty one are accepted, because Bitget then makes one.
        unified: the order is one of a unified account (V3), whose rule is stricter.

    Raises:
        ValueError: Bitget would reject it.
    """
    if client_id in (None, "") or (_V3 if unified else _V2).fullmatch(str(client_id)):
        return
    length, characters = (32, "_ : - . /") if unified else (50, "_ : # + - . / and spaces")
    raise ValueError(
        f"{name}: Bitget would reject {client_id!r}: expected 1 to {length} letters, digits and {characters}"
    )


def check_key(call: CurrentCall | None, known: Operation | None, path: str, params: Mapping[str, Any]) -> None:
    """Check that Bitget accepts the client id of a write, and report a key that the finished request does not carry.

    Args:
        call: the call that the request belongs to, if there is one.
        known: the endpoint, or None for one without a row.
        path: its path.
        params: the parameters as they are sent.

    Raises:
        ValueError: Bitget would reject the client id.
    """
    name = None if known is None else known.key
    if name is not None:
        check_client_id(name, params.get(name), unified=path.startswith("/api/v3/"))
    if call is None or call.key is None:
        return
    # A policy may name another parameter as the key, and Bitget ignores parameters that it does not know. A function
    # of the user with a key of its own may send other requests as well: only those that can carry it are compared.
    is_own = call.operation in (None if known is None else known.name, f"post {path}")
    carried = str(params.get(name)) == call.key if name is not None else not is_own or _carries(params, call.key)
    if not carried:
        call.report_key_missing()


def _carries(value: Any, key: str) -> bool:
    """Return whether a key is among the values of the parameters, however deep."""
    if isinstance(value, Mapping):
        return any(_carries(item, key) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(_carries(item, key) for item in value)
    return str(value) == key
