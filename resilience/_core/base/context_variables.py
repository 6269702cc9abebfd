"""Resets context variables in coroutines, which may end in another context than the one in which they began."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Any

__all__ = ["reset_variable"]


def reset_variable(variable: ContextVar[Any], token: Token[Any]) -> None:
    """Reset a variable in the context in which it was set; do nothing in another one.

    A coroutine that nobody awaits any more is closed in the context of whoever collects it. There the variable is
    somebody else's, and `ContextVar.reset` would raise `ValueError`, in place of what has ended the coroutine.
    """
    try:
        variable.reset(token)
    except ValueError:
        pass
