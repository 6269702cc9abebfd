"""Gives each call its own error where ccxt hands one error object to everything that waits for a connection.

What is recorded on an error (whether the call was executed, what to do now) is true of one call alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .requests_sent import ATTEMPT, set_attribute

__all__ = ["with_own_error"]

_SEEN = "resilience_seen"
_OURS = ("resilience_", "__resilience__", "__notes__")


def with_own_error(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return an async method that raises a copy of an error that another call has raised before."""

    async def send(*args: Any, **kwargs: Any) -> Any:
        try:
            return await method(*args, **kwargs)
        except Exception as error:
            own = _own(error)
            if own is error:
                raise
            attempt = ATTEMPT.get()
            for request in () if attempt is None else attempt.writes:
                if request.error is error:
                    request.error = own
        raise own  # outside of the handler: the other call's error is no context of this one

    return send


def _own(error: Exception) -> Exception:
    """Return the error itself to the first call that gets it, and a copy without our marks to every other."""
    if not hasattr(error, _SEEN):
        set_attribute(error, _SEEN, True)
        return error
    kind: Any = type(error)
    try:
        own: Exception = kind.__new__(kind, *error.args)
        own.args = error.args
        own.__dict__.update({name: value for name, value in vars(error).items() if not name.startswith(_OURS)})
    except Exception:
        return error  # a class that cannot be made without its own arguments
    own.__cause__, own.__context__ = error.__cause__, error.__context__
    own.__suppress_context__ = error.__suppress_context__
    return own.with_traceback(error.__traceback__)
