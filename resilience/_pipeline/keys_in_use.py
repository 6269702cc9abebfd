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
    """The keys of the calls under way, for all pipelines that share their state. Safe across threads and tasks.

    Attributes:
        holders: claimed keys, each with the call that holds it. `setdefault` is one step for all threads, and no lock
            is held that the call of a signal handler could need.
    """

    def __init__(self) -> None:
        self.holders: dict[_Claim, object] = {}
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Forget the calls of the parent's threads, which do not exist in a forked child."""
        self.holders.clear()

    def leave(self, claim: _Claim, holder: object, token: Any) -> None:
        """Release the key if this call holds it, and leave its context if that was entered."""
        if self.holders.get(claim) is holder:
            self.holders.pop(claim, None)
        if token is not None:
            try:
                _HELD.reset(token)
            except ValueError:
                pass  # ended in another task's context: there is nothing to reset


def _scope(plan: Plan) -> Any:
    info = plan.info
    return info.operation if info.host is None else (info.host, info.account)


def claim_key_sync(plan: Plan, call: Callable[..., Any], keys: KeysInUse) -> Callable[..., Any]:
    """Return `call` so that its key is refused to other calls while it is under way.

    Raises, when it is called:
        RejectedError: another call holds the key; nothing was sent.
    """
    assert plan.keys is not None
    # Bound here: an attribute of a closure's object is read in each call, and a write should cost little.
    fill, scope, setdefault, held, leave = plan.keys.fill, _scope(plan), keys.holders.setdefault, _HELD, keys.leave

    def claiming(*args: Any, **kwargs: Any) -> Any:
        key, args, kwargs = fill(args, kwargs)
        if key is None:
            return call(*args, **kwargs)
        holder, claim, token = object(), (scope, key), None
        try:  # the claim is made inside, so that a Ctrl-C after it leaves nothing behind
            current, around = setdefault(claim, holder), held.get()
            if current is not holder and current not in around:
                raise reject_key_in_use(plan, CONTEXT.get())
            token = held.set((*around, holder))
            return call(*args, **kwargs)
        finally:
            leave(claim, holder, token)

    return claiming


def claim_key_async(plan: Plan, call: Callable[..., Any], keys: KeysInUse) -> Callable[..., Any]:
    """Return async `call` so that its key is refused to other calls; written like `claim_key_sync`."""
    assert plan.keys is not None
    fill, scope, setdefault, held, leave = plan.keys.fill, _scope(plan), keys.holders.setdefault, _HELD, keys.leave

    async def claiming(*args: Any, **kwargs: Any) -> Any:
        key, args, kwargs = fill(args, kwargs)
        if key is None:
            return await call(*args, **kwargs)
        holder, claim, token = object(), (scope, key), None
        try:
            current, around = setdefault(claim, holder), held.get()
            if current is not holder and current not in around:
                raise reject_key_in_use(plan, CONTEXT.get())
            token = held.set((*around, holder))
            return await call(*args, **kwargs)
        finally:
            leave(claim, holder, token)

    return claiming
