"""Translates the refusals of the exchange's own rules, whose codes are Bitget's, into those of a dialect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

from ..exchange.order_store import RefusedError

__all__ = ["Refusals", "translated"]

_P = ParamSpec("_P")
Refusals = Mapping[str, tuple[str, str]]
"""Code of the exchange's rules → code and message of the dialect; an empty message keeps that of the rules."""


def translated(call: Callable[_P, Any], refusals: Refusals, status: int = 400) -> Callable[_P, Any]:
    """Return a callable whose refusals have the dialect's codes; a code that is not in the table stays as it is.

    Args:
        call: what may be refused.
        refusals: the table.
        status: HTTP status of the translated refusals.
    """

    def speaking(*args: _P.args, **kwargs: _P.kwargs) -> Any:
        try:
            return call(*args, **kwargs)
        except RefusedError as error:
            if error.code not in refusals:
                raise
            code, message = refusals[error.code]
            raise RefusedError(code, message or error.message, status, error.headers) from None

    return speaking
