"""`wrap(client)`: the client you have, every call of it under a policy.

The proxy passes for the original: `isinstance`, attributes and context managers work as before. A
method is compiled on first use and kept. What a client says of its own methods
(`resilience_operation_info`) comes first, then the `operations` given here and in the policy file.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from .operation_rules import OperationRules
from .policies import Policies
from .proxy import proxy_class

if TYPE_CHECKING:
    from ..outbox import Outbox

__all__ = ["wrap"]

C = TypeVar("C")
_NATIVE = {
    "aiohttp.ClientSession": "resilience.integrations.aiohttp",
    "ccxt.Exchange": "resilience.integrations.ccxt",
    "httpx.AsyncClient": "resilience.integrations.httpx",
    "httpx.Client": "resilience.integrations.httpx",
    "requests.Session": "resilience.integrations.requests",
}
"""Classes that an integration wraps by itself, by package and name."""


def wrap(
    client: C,
    policy: str = "default",
    *,
    operations: Mapping[str, Any] | None = None,
    policies: Policies | None = None,
    outbox: Outbox | None = None,
) -> C:
    """Return the client with every public method under a policy.

    Args:
        client: a `requests.Session`, an `httpx` client, an `aiohttp.ClientSession`, an exchange of ccxt, a
            `BitgetClient`, or any other object.
        policy: name of the policy for methods that nothing else names.
        operations: method-name globs → a policy's name, or `{policy, idempotent, key, reconcile, lane}`.
        policies: the policies to use instead of the configured ones.
        outbox: records keyed writes before they are sent, so that a restarted bot finds them.

    Raises:
        TypeError: the client is a class, a function or None; `operations` has an unknown option; or an
            outbox is given for a plain HTTP client, whose arguments may hold credentials.

    Example:
        >>> import requests
        >>> session = wrap(requests.Session(), "http")
        >>> isinstance(session, requests.Session)
        True
    """
    if client is None or isinstance(client, type) or inspect.isroutine(client):
        told = "None" if client is None else f"{getattr(client, '__name__', client)!r}, which is no client object"
        raise TypeError(f"wrap takes a client object, got {told}; decorate functions with @resilient")
    rules = OperationRules(policy, operations, policies, outbox)
    for kind in type(client).__mro__:
        module = _NATIVE.get(f"{kind.__module__.partition('.')[0]}.{kind.__name__}")
        if module is not None:
            wrapped: C = import_module(module).wrap(client, rules)
            return wrapped
    made: Any = proxy_class(type(client))(client, rules)
    return made  # type: ignore[no-any-return]  # it passes for the client
