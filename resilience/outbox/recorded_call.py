"""Compiles a write so that it is recorded before it is sent, and no attempt is sent that is not on disk."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol

from .._core.call.idempotency_key import KeySlot
from .._pipeline.callables import is_async
from .open_write import OpenWrite, current_write

__all__ = ["BeginWrite", "guard_attempts", "record_calls"]


class BeginWrite(Protocol):
    """Records a write before its call."""

    def __call__(self, key: str, args: Any, kwargs: Any) -> OpenWrite:
        """Return the write; raises a `RejectedError` or a `TypeError` if it may not be sent."""


def record_calls(
    compiled: Callable[..., Any],
    keys: KeySlot,
    begin: BeginWrite,
    *,
    keyless: Callable[..., Any] | None,
    asynchronous: bool,
) -> Callable[..., Any]:
    """Return `compiled`, with each call recorded by `begin`.

    Args:
        compiled: the client's method under its policy.
        keys: fills the key in here and not in the pipeline, because the row needs it before the call begins.
        begin: records a write.
        keyless: makes a call that has no key, where none is made; None where every call has one.
        asynchronous: whether the method is async.
    """
    if asynchronous:

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            key, args, kwargs = keys.fill(args, kwargs)
            if key is None and keyless is not None:
                return await keyless(*args, **kwargs)
            assert key is not None, "the slot makes one"
            with begin(key, args, kwargs):
                return await compiled(*args, **kwargs)

        return call_async

    def call(*args: Any, **kwargs: Any) -> Any:
        key, args, kwargs = keys.fill(args, kwargs)
        if key is None and keyless is not None:
            return keyless(*args, **kwargs)
        assert key is not None, "the slot makes one"
        with begin(key, args, kwargs):
            return compiled(*args, **kwargs)

    return call


def guard_attempts(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method, of which no attempt begins before its row is on disk and its file in place."""
    if is_async(fn):

        @wraps(fn)  # the pipeline finds the key's parameter in the method's own signature
        async def attempt_async(*args: Any, **kwargs: Any) -> Any:
            write = current_write()
            while True:
                await write.aget_ready()
                stamps = len(write.stamps)
                try:
                    return await fn(*args, **kwargs)
                except Exception:
                    # The stamp could not be stored, because the file was locked just then. Nothing was sent, so the
                    # attempt is made again once the file is free, if an earlier request of it had no stamp either.
                    if not write.met_lock or len(write.stamps) != stamps:
                        raise

        return attempt_async

    @wraps(fn)
    def attempt(*args: Any, **kwargs: Any) -> Any:
        current_write().get_ready()
        return fn(*args, **kwargs)

    return attempt
