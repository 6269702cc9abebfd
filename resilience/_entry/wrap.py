"""Chooses how a client is wrapped: by the integration for its class, or by the proxy.

Every public method runs under a policy.

The wrapped client passes for the original: `isinstance`, attributes and context managers work as before. A method is
compiled on its first use. What a client says of its own methods (`resilience_operation_info`) comes first, then the
`operations` given to `wrap` and those of the policy file.
"""

from __future__ import annotations

import inspect
import warnings
from typing import Any, TypeVar

from .client_support import find_support
from .operation_rules import OperationRules
from .proxied_value import names_outside
from .proxy import proxy_class

__all__ = ["check_client", "wrap_client"]

C = TypeVar("C")


def check_client(client: object) -> None:
    """Raise a `TypeError` for what is no client object: None, a string, a class or a function."""
    if client is None or isinstance(client, str):
        raise TypeError(f"wrap takes a client object, got {client!r}")
    if isinstance(client, type) or inspect.isroutine(client):
        name = getattr(client, "__name__", client)
        raise TypeError(f"wrap takes a client object, got the class or function {name!r}; decorate functions instead")


def wrap_client(client: C, rules: OperationRules) -> C:
    """Return the client under these rules, wrapped by its integration if there is one, else by a proxy."""
    describes_itself = hasattr(type(client), "resilience_operation_info")  # its operations have keys of their own
    support = None if describes_itself else find_support(client)
    if support is not None:
        wrapped: C = support.wrap(client, rules)
        return wrapped
    if not describes_itself:
        rules.check_key_factories()
    rules.check_method_globs(client)
    outside = names_outside(client)
    if outside:
        text = f"wrap({type(client).__name__}): calls of {', '.join(outside)} stay outside the policy"
        warnings.warn(f"{text}; wrap what you call by itself", stacklevel=3)
    proxy: Any = proxy_class(type(client))(client, rules)
    return proxy  # type: ignore[no-any-return]  # it passes for the client
