"""Makes each call of a method one attempt: its requests are recorded, its result is checked, its error is marked."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..._core.base.context_variables import reset_variable
from ..._core.call.context import current_call, inherited
from ...telemetry.concealment import clear_credentials
from .engine_state import EngineState
from .method_names import is_socket_call
from .order_results import find_problem
from .own_errors import with_own_error
from .requests_sent import ATTEMPT, SentRequests, set_attribute

__all__ = ["as_attempt", "as_watch"]

# The log of the last call of which a part was accepted, and the remedy. The log is the same object in every attempt
# of a call, and in no other call.
_PARTLY_DONE: ContextVar[tuple[Any, str] | None] = ContextVar("resilience_ccxt_partly_done", default=None)


def as_attempt(
    method: Callable[..., Any], state: EngineState, *, asynchronous: bool, all_write: bool = False
) -> Callable[..., Any]:
    """Return the method with each call of it as one attempt.

    Args:
        method: a method of an engine.
        state: that of the engine.
        asynchronous: it is a coroutine function.
        all_write: every request of it counts as a write, whatever it looks like.
    """
    operation = str(getattr(method, "__name__", ""))

    if asynchronous:
        send_once = with_own_error(method) if is_socket_call(operation) else method

        @functools.wraps(method)
        async def send_async(*args: Any, **kwargs: Any) -> Any:
            with _under_way(state, SentRequests(operation, all_write=all_write)) as attempt:
                return _checked(state, attempt, await send_once(*args, **kwargs), args, kwargs)

        return send_async

    @functools.wraps(method)
    def send(*args: Any, **kwargs: Any) -> Any:
        with _under_way(state, SentRequests(operation, all_write=all_write)) as attempt:
            return _checked(state, attempt, method(*args, **kwargs), args, kwargs)

    return send


def as_watch(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that waits for updates, with what it sends known as its own; its error has no mark of ours."""
    operation = str(getattr(method, "__name__", ""))
    watch_once = with_own_error(method)

    @functools.wraps(method)
    async def watch(*args: Any, **kwargs: Any) -> Any:
        token = ATTEMPT.set(SentRequests(operation))
        try:
            return await watch_once(*args, **kwargs)
        except Exception as error:
            clear_credentials(error)
            raise
        finally:
            reset_variable(ATTEMPT, token)

    return watch


@contextmanager
def _under_way(state: EngineState, attempt: SentRequests) -> Iterator[SentRequests]:
    """Record the requests of an attempt, and mark its error by them."""
    token = ATTEMPT.set(attempt)
    try:
        _refuse_repetition(state)
        yield attempt
    except Exception as error:
        _mark_error(attempt, error)
        clear_credentials(error)
        raise
    finally:
        reset_variable(ATTEMPT, token)
        _close(state, attempt)


def _checked(
    state: EngineState, attempt: SentRequests, result: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Return the result, unless it is no proof that the orders were placed."""
    call = current_call()
    key = None if call is None or not attempt.takes_key else call.key
    problem = find_problem(attempt.operation, result, key, state, args, kwargs)
    echo = result.get("clientOrderId") if isinstance(result, Mapping) and result.get("id") else None
    if problem is None or attempt.has_other_client_id(echo):
        return result
    error = state.errors.unreadable(f"{state.original.id} {attempt.operation}: {problem}")
    set_attribute(error, "body", result)
    set_attribute(error, "resilience_executed", "maybe")
    raise error


def _mark_error(attempt: SentRequests, error: Exception) -> None:
    if getattr(error, "resilience_repetition", False):
        return
    remedy, log = attempt.mark_error(error), _log_of_call()
    if remedy is not None and log is not None:
        _PARTLY_DONE.set((log, remedy))


def _refuse_repetition(state: EngineState) -> None:
    """Refuse to send a call again of which an earlier attempt did a part: its cancel would now be refused, say.

    Raises:
        Exception: `errors.unreadable`, marked as "may have been executed".
    """
    partly = _PARTLY_DONE.get()
    if partly is None or partly[0] is not _log_of_call():
        return
    error = state.errors.unreadable(f"{state.original.id} a part was accepted before, so it is not sent again")
    set_attribute(error, "resilience_executed", "maybe")
    set_attribute(error, "resilience_remedy", partly[1])
    set_attribute(error, "resilience_repetition", True)
    raise error


def _log_of_call() -> Any:
    context = inherited()
    return None if context is None else context.stamps


def _close(state: EngineState, attempt: SentRequests) -> None:
    if attempt.close():
        call = current_call()
        if call is not None:
            call.report_key_missing()
        if state.support is None:  # the support of an exchange knows which requests take no key
            state.warn_key_missing(attempt.operation)
