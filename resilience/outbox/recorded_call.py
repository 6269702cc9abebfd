"""Compiles a write so that it is recorded before it is sent, and no attempt is sent that is not stored."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol

from .._core.base.abstract_classes import is_awaitable
from .._core.base.routine import Invocation, Routine
from .._core.call.idempotency_key import KeySlot
from .._core.call.lookup_answer import Found
from .._drivers.routine_runner import routine_function
from .._pipeline.callables import is_async
from .open_write import current_write

__all__ = ["BeginWrite", "guard_attempts", "record_calls", "remember_found"]


class BeginWrite(Protocol):
    """Records a write before its call."""

    def __call__(self, key: str, args: Any, kwargs: Any) -> Any:
        """Return the write, or what to await for it.

        Raises:
            RejectedError: it may not be sent.
            TypeError: its arguments cannot be stored.
        """


def record_calls(
    compiled: Callable[..., Any],
    keys: KeySlot,
    begin: BeginWrite,
    *,
    keyless: Callable[..., Any] | None,
    asynchronous: bool,
    has_fallback: bool,
) -> Callable[..., Any]:
    """Return `compiled`, with each call recorded by `begin`.

    Args:
        compiled: the client's method under its policy.
        keys: fills the key in here and not in the pipeline, because the row needs it before the call begins.
        begin: records a write.
        keyless: makes a call that has no key, where none is made; None where every call has one.
        asynchronous: whether the method is async.
        has_fallback: the policy may give the caller something else in place of an error.
    """

    def call(*args: Any, **kwargs: Any) -> Routine[Any]:
        key, args, kwargs = keys.fill(args, kwargs)
        if key is None and keyless is not None:
            return (yield Invocation(keyless, args, kwargs))
        assert key is not None, "the slot makes one"
        with (yield Invocation(begin, (key, args, kwargs))) as write:
            try:
                result = yield Invocation(compiled, args, kwargs)
            except Exception as error:
                if asynchronous:  # else it is settled where the block ends
                    yield Invocation(write.asettle, (error,))
                raise
            if has_fallback:
                write.check_result(result)
            if asynchronous:
                write.settle_later()
            return result

    return routine_function(call, asynchronous=asynchronous)


def guard_attempts(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the method, of which no attempt begins before its row is stored and is still this call's."""
    if is_async(fn):

        @wraps(fn)  # the pipeline finds the key's parameter in the method's own signature
        async def attempt_async(*args: Any, **kwargs: Any) -> Any:
            write = current_write()
            while True:
                await write.row.aget_ready()
                stamps = len(write.row.stamps)
                try:
                    write.answer = await fn(*args, **kwargs)
                    return write.answer
                except Exception:
                    # The stamp could not be stored, because the store was busy just then. Nothing was sent, so the
                    # attempt is made again once it is not, if an earlier request of it had no stamp either.
                    if not write.row.was_busy or len(write.row.stamps) != stamps:
                        raise

        return attempt_async

    @wraps(fn)
    def attempt(*args: Any, **kwargs: Any) -> Any:
        write = current_write()
        write.row.get_ready()
        write.answer = fn(*args, **kwargs)
        return write.answer

    return attempt


def remember_found(reconcile: Callable[..., Any]) -> Callable[..., Any]:
    """Return the reconciler; what it finds counts as the answer to the write."""

    @wraps(reconcile)
    def look_up(call: Any) -> Any:
        answer = reconcile(call)
        return remember_later(answer) if is_awaitable(answer) else remember(answer)

    async def remember_later(answer: Any) -> Any:
        return remember(await answer)

    def remember(answer: Any) -> Any:
        if isinstance(answer, Found):
            current_write().answer = answer.value
        return answer

    if not is_async(reconcile):
        return look_up

    @wraps(reconcile)
    async def look_up_async(call: Any) -> Any:
        return remember(await reconcile(call))

    return look_up_async
