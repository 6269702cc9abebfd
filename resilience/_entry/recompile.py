"""A compiled call that follows `configure` and `reload`: one identity test a call, compiled anew after a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .epoch import EPOCH

__all__ = ["recompiled"]


def recompiled(build: Callable[[], Callable[..., Any]], *, asynchronous: bool) -> Callable[..., Any]:
    """Return a function that calls what `build` compiles; policies are looked up at the first call.

    Safe across threads: two that come first may both compile, and either result serves.
    """
    state: tuple[object, Callable[..., Any]] = (None, _unbuilt)

    def refresh() -> Callable[..., Any]:
        nonlocal state
        now = EPOCH[0]
        compiled = build()
        state = (now, compiled)  # one write: an old call is never seen with a new epoch
        return compiled

    if asynchronous:

        async def acall(*args: Any, **kwargs: Any) -> Any:
            seen, compiled = state
            run = compiled if seen is EPOCH[0] else refresh()
            return await (run(*args, **kwargs) if kwargs else run(*args))

        return acall

    def call(*args: Any, **kwargs: Any) -> Any:
        seen, compiled = state
        run = compiled if seen is EPOCH[0] else refresh()
        return run(*args, **kwargs) if kwargs else run(*args)

    return call


def _unbuilt(*_args: Any, **_kwargs: Any) -> Any:
    raise AssertionError("refresh runs first")
