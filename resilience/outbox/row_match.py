"""Checks whether a row can be resumed with a client: its method, its account, and where its key is.

Nothing here changes the row.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from math import isfinite
from typing import Any, NamedTuple

from .._core.call.idempotency_key import KeySlot
from .._core.call.operation_info import OperationInfo
from .._core.stages.fence import Fence
from .._pipeline.pipeline import Pipeline
from .row import Row
from .stored_stamps import new_stamps

__all__ = ["ResolvedRow", "UnresumableError", "check_machine", "digest_of", "expires", "resolve_row"]


class UnresumableError(Exception):
    """A row that cannot be resumed with this client; `outcome` is that of `ResumedWrite`."""

    def __init__(self, outcome: Any, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


class ResolvedRow(NamedTuple):
    """The client's method that a row was made with, and its pipeline and operation under the client's rules."""

    method: Callable[..., Any]
    pipeline: Pipeline
    info: OperationInfo


def resolve_row(client: Any, row: Row) -> ResolvedRow:
    """Return the client's method that a row was made with, and its pipeline and operation under the client's rules.

    Raises:
        UnresumableError: the row cannot be resumed with this client.
        TypeError: the method has no parameter for the key.
    """
    method, info = _find_method(client, row)
    pipeline, info = vars(client)["_resilience_rules"].resolve(info)
    _check_key(method, info, row)
    fence = info.fence or Fence()
    if row.window is not None and row.window > fence.window:
        # A request, or the client that signed it, said more than this client knows; nor does its policy shorten that.
        info = replace(info, fence=replace(fence, window=row.window), sends_window=False)
    return ResolvedRow(method, pipeline, replace(info, new_stamps=new_stamps))


def expires(info: OperationInfo) -> bool:
    """Return whether the API refuses a request that is sent long after it was signed."""
    return info.signs and (info.fence is None or isfinite(info.fence.window))


def check_machine(row: Row) -> None:
    """Refuse to adopt a write of another machine from a file."""
    machine = platform.node()
    if row.machine in (None, machine):
        return
    # The lock of a file says nothing about the processes of another machine: on a network drive, or for a copy.
    reason = (
        f"the write was made on the machine {row.machine}, and this is {machine}: a file is not adopted by another "
        "machine, where nothing tells whether its owner still runs. Use postgresql://, or Outbox.resume once it has "
        "ended"
    )
    raise UnresumableError("unknown", reason)


def _check_account(row: Row, info: OperationInfo) -> None:
    """Refuse a row that a client of another account or host made."""
    for what, stored, present in (("account", row.account, digest_of(info.account)), ("host", row.host, info.host)):
        if stored is not None and stored != present:
            reason = f"the write was made with the {what} {stored}, and this client has {present or 'none'}"
            raise UnresumableError("other_account", reason)


def _find_method(client: Any, row: Row) -> tuple[Callable[..., Any], OperationInfo]:
    """Return the client's method that a row was made with, and what the client says of it.

    Raises:
        UnresumableError: there is none, the client has another account, or the write cannot be looked up.
    """
    raw = vars(client)["_resilience_client"]
    method = _attribute(raw, row.operation.partition(" ")[0])  # "post /api/…" is made by `post`
    describe = getattr(raw, "resilience_operation_info", None)
    info = OperationInfo(operation=row.operation) if describe is None else describe(row.operation, client)
    if not callable(method) or info is None:
        raise UnresumableError("unknown_operation", f"{type(raw).__name__} has no operation {row.operation}")
    _check_account(row, info)
    if row.key_missing:
        raise UnresumableError("unknown", "the request did not carry the key, so the write cannot be looked up by it")
    return method, info


def _check_key(method: Callable[..., Any], info: OperationInfo, row: Row) -> None:
    """Refuse a row whose key is not where its operation takes it now: it would be looked up by a new key, in vain.

    Raises:
        TypeError: the method has no parameter for the key.
        UnresumableError: the arguments of the row have another key in its place, or none.
    """
    key = None if info.key is None else KeySlot(info.key, method, None).fill(row.args, row.kwargs)[0]
    if key != row.key:
        reason = f"{row.operation} takes its key as {info.key} now, and there the row has {key or 'none'}"
        raise UnresumableError("unknown_operation", reason)


def _attribute(client: Any, path: str) -> Any:
    """Return what stands under a path such as `orders.create`, or None."""
    for name in path.split("."):
        client = getattr(client, name, None)
    return client


def digest_of(account: str | None) -> str | None:
    """Return a digest of an account's name, which tells accounts apart and gives none away."""
    return None if account is None else sha256(account.encode()).hexdigest()[:12]
