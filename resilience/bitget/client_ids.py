"""Checks the client id of an order before it is sent: Bitget's rules, and whether the request carries the key.

Bitget documents different rules for the same endpoints, so this one accepts what any of them accepts: an order that
Bitget takes is never rejected here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["carries", "check_client_id"]

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


def carries(value: Any, key: str) -> bool:
    """Return whether a key is among the values of the parameters, however deep."""
    if isinstance(value, Mapping):
        return any(carries(item, key) for item in value.values())
    if isinstance(value, (list, tuple)):
        return any(carries(item, key) for item in value)
    return str(value) == key
