"""Finds the implicit method of ccxt by which an endpoint is called: venues name their endpoints by it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

__all__ = ["endpoint_name"]


def endpoint_name(engine_class: Any, api: object, method: str, path: str) -> str | None:
    """Return the name of the implicit method for an endpoint, such as `privatePostTradeOrder`, or None."""
    return _names(engine_class).get((_api(api), method, path))


@cache
def _names(engine_class: Any) -> Mapping[tuple[str, str, str], str]:
    # ccxt has a camelCase name and one with underscores for each; the endpoints themselves have the first.
    names: dict[tuple[str, str, str], str] = {}
    for base in reversed(engine_class.__mro__):
        for name, value in vars(base).items():
            if type(value).__name__ == "Entry" and "_" not in name:
                names[_api(value.api), value.method, value.path] = name
    return names


def _api(api: object) -> str:
    return str(api[0]) if isinstance(api, list) and len(api) == 1 else str(api)
