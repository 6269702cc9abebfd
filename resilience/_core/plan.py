"""A pipeline resolved for one operation: everything a call needs, looked up once.

Nothing here decides; `recovery.py` reads a plan and decides, the drivers read it and wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .reconcile import Fence

__all__ = ["Binding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """How one function or one method of a client takes part.

    Attributes:
        operation: the operation's name.
        idempotent: whether sending twice is harmless; None means a write.
        read: nothing is changed by it: `executed` is `n_a`.
        key: the parameter that carries the idempotency key: a keyword (`clientOid`), or a key
            inside a mapping parameter (`params.clientOid`); None carries none.
        reconcile: called with the call in doubt; returns `Found` or `NOT_FOUND`.
        registry: the client's own table of codes, asked before those of the policy.
        host: the host it talks to, for breakers and quotas by host.
        account: a name of the account that gives nothing away.
        fence: the API's bounds W, P and L.
        refusals: our refusal → a subclass that also inherits the client's own error base.
        results: False when a returned value is never an error.
        discard: closes a returned value that is thrown away for a retry.
    """

    operation: str
    idempotent: bool | None = None
    read: bool = False
    key: str | None = None
    reconcile: Callable[..., Any] | None = None
    registry: str | None = None
    host: str | None = None
    account: str | None = None
    fence: Fence | None = None
    refusals: Mapping[type, type] = field(default_factory=dict)
    results: bool = True
    discard: Callable[[Any], None] | None = None
