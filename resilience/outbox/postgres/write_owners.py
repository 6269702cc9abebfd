"""Watches which process has the writes in doubt of this one, so that a snapshot shows it without asking the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from weakref import ref

from ..._core.call.unsettled_writes import WriteOwner
from .server_connections import Answer

__all__ = ["WriteOwners"]


class WriteOwners:
    """The owners that somebody refers to. `follow` is safe across threads; the rest runs in the background thread."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, str], ref[WriteOwner]] = {}

    def reset(self) -> None:
        """Forget them."""
        self._owners = {}

    def follow(self, key: str, operation: str, name: str) -> WriteOwner:
        """Return the owner of a write, which has this name until another is seen."""
        owner = WriteOwner(name)
        self._owners[key, operation] = ref(owner)
        return owner

    async def refresh(self, ask: Callable[[dict[str, Any]], Awaitable[Answer]]) -> None:
        """Ask for the owners of all writes that somebody refers to, if there are any."""
        owners = {write: owner for write, known in tuple(self._owners.items()) if (owner := known()) is not None}
        for write in self._owners.keys() - owners.keys():
            del self._owners[write]
        if not owners:
            return
        keys, operations = map(list, zip(*owners, strict=True))
        answer = await ask({"keys": keys, "operations": operations})
        for key, operation, name, is_settled in answer.rows:
            owners[key, operation].name, owners[key, operation].is_settled = name, is_settled
