"""Finds the integration that wraps a client, by the client's class: a built-in one, or one of another package.

Another package names its class in the entry-point group `resilience.clients`: the client's class as `package.Class` →
an object with `wrap(client, rules)`, such as a class derived from `HttpClientSupport`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .._core.base.entry_points import describe_entry_point, installed, load_entry_point

__all__ = ["find_support"]

_GROUP = "resilience.clients"
_BUILT_IN = {
    "aiohttp.ClientSession": "resilience.integrations.aiohttp",
    "ccxt.Exchange": "resilience.integrations.ccxt",
    "httpx.AsyncClient": "resilience.integrations.httpx",
    "httpx.Client": "resilience.integrations.httpx",
    "requests.Session": "resilience.integrations.requests",
    "urllib3.PoolManager": "resilience.integrations.urllib3",
}
"""Modules with `wrap`, by the package and name of a client's class: no package is imported to compare classes."""


def find_support(client: object) -> Any:
    """Return what wraps clients of this class or of a base class of it; None if nothing does.

    Raises:
        ImportError: the entry point for the class cannot be loaded.
        TypeError: it names an object without `wrap`.
    """
    for cls in type(client).__mro__:  # a subclass of a known client is wrapped like it
        if cls is object:
            break
        name = f"{cls.__module__.partition('.')[0]}.{cls.__name__}"
        if name in _BUILT_IN:
            return import_module(_BUILT_IN[name])
        point = installed(_GROUP).get(name)
        if point is not None:
            return _loaded(point)
    return None


def _loaded(point: Any) -> Any:
    support = load_entry_point(point)
    if not callable(getattr(support, "wrap", None)):
        raise TypeError(
            f"{describe_entry_point(point)} has no wrap(client, rules); derive a class from "
            "resilience.integrations.http.HttpClientSupport"
        )
    return support
