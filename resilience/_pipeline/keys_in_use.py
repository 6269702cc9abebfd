"""Refuses a write whose key another call under way has already: both would be taken for one order.

A key counts per host and account where the client knows its host, else per operation. A call that is made inside the
call with the same key, such as a client's method inside a decorated function, is part of it. Hedged attempts share the
claim of their call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .._core.base.fork_safety import new_lock, register_for_fork
from .._core.call.context import CONTEXT
from .._core.call.plan import Plan
from .._core.call.rejection import reject_key_in_use

__all__ = ["KeysInUse", "claim_key_async", "claim_key_sync"]

_Claim = tuple[Any, ...]
_Holder = list[None]
"""The call that holds a key: a list with one item, which is emptied when the call ends."""
_HELD: ContextVar[tuple[_Holder, ...]] = ContextVar("resilience_keys", default=())
"""The holders around this call. One that is empty has ended."""


class KeysInUse:
    """The keys of the calls under way, for all pipelines that share their state. Safe across threads and tasks.

    Attributes:
        holders: claimed keys, each with the call that holds it. `setdefault` is one step for all threads, and no lock
            is held that the call of a signal handler could need. A holder that is empty has ended: an exception of a
            signal handler has kept it from being removed.
    """

    def __init__(self) -> None:
        self.holders: dict[_Claim, _Holder] = {}
        self._lock = new_lock()
        register_for_fork(self)

    def reset_after_fork(self) -> None:
        """Forget the calls of the parent's threads, which do not exist in a forked child."""
        self.holders.clear()

    def replace(self, claim: _Claim, holder: _Holder) -> _Holder:
        """Take over a key from a call that has ended without removing it; returns who holds it then."""
        # Rare. Others only add a key that nobody has, and remove their own before they end: under the lock, a key
        # whose holder has ended does not change.
        with self._lock:
            current = self.holders.setdefault(claim, holder)
            if not current:
                self.holders[claim] = current = holder
        return current


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
    fill, scope, holders, get_held, set_held = plan.keys.fill, _scope(plan), keys.holders, _HELD.get, _HELD.set

    def claiming(*args: Any, **kwargs: Any) -> Any:
        key, args, kwargs = fill(args, kwargs)
        if key is None:
            return call(*args, **kwargs)
        holder, claim, outer = [None], (scope, key), get_held()
        try:  # the claim is made inside, so that a Ctrl-C after it leaves nothing behind
            current = holders.setdefault(claim, holder)
            if current is not holder:
                check_holder(plan, keys, claim, holder, current)
            set_held((*filter(None, outer), holder))
            return call(*args, **kwargs)
        finally:
            try:
                set_held(outer)
            finally:
                try:
                    if holders.get(claim) is holder:
                        holders.pop(claim, None)
                finally:
                    holder.clear()

    return claiming


def claim_key_async(plan: Plan, call: Callable[..., Any], keys: KeysInUse) -> Callable[..., Any]:
    """Return async `call` so that its key is refused to other calls; written like `claim_key_sync`."""
    assert plan.keys is not None
    fill, scope, holders, get_held, set_held = plan.keys.fill, _scope(plan), keys.holders, _HELD.get, _HELD.set

    async def claiming(*args: Any, **kwargs: Any) -> Any:
        key, args, kwargs = fill(args, kwargs)
        if key is None:
            return await call(*args, **kwargs)
        holder, claim, outer = [None], (scope, key), get_held()
        held = (*filter(None, outer), holder)
        try:
            current = holders.setdefault(claim, holder)
            if current is not holder:
                check_holder(plan, keys, claim, holder, current)
            set_held(held)
            return await call(*args, **kwargs)
        finally:
            try:
                if get_held() is held:  # else it ends in another task's context, which is left alone
                    set_held(outer)
            finally:
                try:
                    if holders.get(claim) is holder:
                        holders.pop(claim, None)
                finally:
                    holder.clear()

    return claiming


def check_holder(plan: Plan, keys: KeysInUse, claim: _Claim, holder: _Holder, current: _Holder) -> None:
    """Take a key over from a call that has ended.

    Raises:
        RejectedError: a call holds it that is under way, and that this one is no part of.
    """
    if not current:
        current = keys.replace(claim, holder)
    if current is not holder and not any(current is around for around in _HELD.get()):
        raise reject_key_in_use(plan, CONTEXT.get())
