"""Refuses a write whose key another call under way has already: both would be taken for one order.

A key counts per host and account where the client knows its host, else per operation. A call that is made inside the
call with the same key, such as a client's method inside a decorated function, is part of it. Hedged attempts share the
claim of their call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .._core.base.fork_safety import register_for_fork
from .._core.call.context import CONTEXT
from .._core.call.plan import Plan
from .._core.call.rejection import reject_key_in_use

__all__ = ["KeysInUse", "claim_key_async", "claim_key_sync"]

_Claim = tuple[Any, ...]
_HELD: ContextVar[tuple[object, ...]] = ContextVar("resilience_keys", default=())
"""The claims of the calls around this one. One that has ended is not in `KeysInUse` any more."""


class KeysInUse:
    """The keys of the calls under way, for all pipelines that share their state. Safe across threads and tasks."""

    def __init__(self) -> None:
        self._holders: dict[_Claim, object] = {}
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Forget the calls of the parent's threads, which do not exist in a forked child."""
        self._holders.clear()

    def enter(self, plan: Plan, claim: _Claim, holder: object) -> Any:
        """Claim a key for a call, and return the token that `leave` needs.

        Raises:
            RejectedError: another call holds the key; nothing was sent.
        """
        # `setdefault` is one step for all threads, and no lock is held that a signal handler's call could need.
        current, held = self._holders.setdefault(claim, holder), _HELD.get()
        if current is not holder and current not in held:
            raise reject_key_in_use(plan, CONTEXT.get())
        return _HELD.set((*held, holder))

    def leave(self, claim: _Claim, holder: object, token: Any) -> None:
        """Release the key if this call holds it. May be called whether or not `enter` has returned."""
        if self._holders.get(claim) is holder:
            self._holders.pop(claim, None)
        if token is not None:
            try:
                _HELD.reset(token)
            except ValueError:
                pass  # ended in another task's context: there is nothing to reset


def _scope(plan: Plan) -> _Claim:
    info = plan.info
    return (info.operation,) if info.host is None else (info.host, info.account)


def claim_key_sync(plan: Plan, call: Callable[..., Any], keys: KeysInUse) -> Callable[..., Any]:
    """Return `call` so that its key is refused to other calls while it is under way."""
    slot, scope = plan.keys, _scope(plan)
    assert slot is not None

    def claiming(*args: Any, **kwargs: Any) -> Any:
        key, args, kwargs = slot.fill(args, kwargs)
        if key is None:
            return call(*args, **kwargs)
        holder, claim, token = object(), (*scope, key), None
        try:
            token = keys.enter(plan, claim, holder)
            return call(*args, **kwargs)
        finally:
            keys.leave(claim, holder, token)

    return claiming


def claim_key_async(plan: Plan, call: Callable[..., Any], keys: KeysInUse) -> Callable[..., Any]:
    """Return async `call` so that its key is refused to other calls while it is under way."""
    slot, scope = plan.keys, _scope(plan)
    assert slot is not None

    async def claiming(*args: Any, **kwargs: Any) -> Any:
        key, args, kwargs = slot.fill(args, kwargs)
        if key is None:
            return await call(*args, **kwargs)
        holder, claim, token = object(), (*scope, key), None
        try:
            token = keys.enter(plan, claim, holder)
            return await call(*args, **kwargs)
        finally:
            keys.leave(claim, holder, token)

    return claiming
