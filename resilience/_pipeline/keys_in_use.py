"""Refuses a write whose key another call under way has already: both would be taken for one order.

A key counts per host and account where the client knows its host, else per operation. A call that is made inside the
call with the same key, such as a client's method inside a decorated function, is part of it. Hedged attempts share the
claim of their call. A call whose event loop was closed holds nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .._core.base.context_variables import reset_variable
from .._core.base.fork_safety import register_for_fork
from .._core.call.context import CONTEXT
from .._core.call.plan import Plan
from .._core.call.rejection import reject_key_in_use
from .._drivers.loop_end import end_of_loop

__all__ = ["KeysInUse", "claim_key_async", "claim_key_sync"]

_Claim = tuple[Any, ...]
_HELD: ContextVar[tuple[_Holder, ...]] = ContextVar("resilience_keys", default=())
"""The claims of the calls around this one. One that has ended is not in `KeysInUse` any more."""


class _Holder:
    """A call that has claimed its key. It ends by one store, so an interrupt at any bytecode leaves no key claimed.

    Attributes:
        ended: the call has ended. Its claim may be taken over.
        is_over: returns whether the event loop of the call has ended; None for a thread.
    """

    ended = False  # of the class: most calls never set them, and an instance without `__init__` is made faster
    is_over: Callable[[], bool] | None = None


class KeysInUse:
    """The keys of the calls under way, for all pipelines that share their state. Safe across threads and tasks.

    Attributes:
        holders: claimed keys, each with the call that holds it. `setdefault` is one step for all threads, and no lock
            is held that the call of a signal handler could need.
    """

    def __init__(self) -> None:
        self.holders: dict[_Claim, _Holder] = {}
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Forget the calls of the parent's threads, which do not exist in a forked child."""
        self.holders.clear()

    def take_over(self, claim: _Claim, current: _Holder, holder: _Holder) -> _Holder:
        """Return the call that holds a key: `holder` where `current` cannot end any more by itself."""
        while current is not holder and (current.ended or (current.is_over is not None and current.is_over())):
            # One step for all threads: of several calls that find the claim abandoned, one inherits it.
            current = current.__dict__.setdefault("heir", holder)
            if current is holder:
                self.holders[claim] = holder
        return current

    def has(self, key: str) -> bool:
        """Return whether a call under way has this key, at any host and for any account."""
        held = [holder for claim, holder in tuple(self.holders.items()) if claim[1] == key]
        return any(not one.ended and (one.is_over is None or not one.is_over()) for one in held)

    def leave(self, claim: _Claim, holder: _Holder) -> None:
        """Release the key if this call holds it. To be called before the holder is marked as ended."""
        if self.holders.get(claim) is holder:
            self.holders.pop(claim, None)


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
    unsettled, info = plan.unsettled, plan.info

    def claiming(*args: Any, **kwargs: Any) -> Any:
        key, args, kwargs = fill(args, kwargs)
        if key is None:
            return call(*args, **kwargs)
        holder, claim, around = _Holder(), (scope, key), held.get()
        try:  # the claim is made inside, so that a Ctrl-C after it leaves nothing behind
            current = setdefault(claim, holder)
            if current is not holder and current not in around:
                current = keys.take_over(claim, current, holder)
                if current is not holder:
                    raise reject_key_in_use(plan, CONTEXT.get())
            held.set((*around, holder))
            result = call(*args, **kwargs)
            if unsettled.by_id:
                unsettled.settle(key, info.host, info.account)
            return result
        finally:
            try:
                leave(claim, holder)
            finally:
                holder.ended = True
                held.set(around)

    return claiming


def claim_key_async(plan: Plan, call: Callable[..., Any], keys: KeysInUse) -> Callable[..., Any]:
    """Return async `call` so that its key is refused to other calls; written like `claim_key_sync`."""
    assert plan.keys is not None
    fill, scope, setdefault, held, leave = plan.keys.fill, _scope(plan), keys.holders.setdefault, _HELD, keys.leave
    unsettled, info = plan.unsettled, plan.info

    async def claiming(*args: Any, **kwargs: Any) -> Any:
        key, args, kwargs = fill(args, kwargs)
        if key is None:
            return await call(*args, **kwargs)
        holder, claim, around, token = _Holder(), (scope, key), held.get(), None
        holder.is_over = end_of_loop()
        try:
            current = setdefault(claim, holder)
            if current is not holder and current not in around:
                current = keys.take_over(claim, current, holder)
                if current is not holder:
                    raise reject_key_in_use(plan, CONTEXT.get())
            token = held.set((*around, holder))
            result = await call(*args, **kwargs)
            if unsettled.by_id:
                unsettled.settle(key, info.host, info.account)
            return result
        finally:
            try:
                leave(claim, holder)
            finally:
                holder.ended = True
                if token is not None:
                    reset_variable(held, token)

    return claiming
