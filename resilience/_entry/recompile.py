"""Makes a compiled call follow `configure` and reloads: it is compiled again at its first use after a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .epoch import EPOCH

__all__ = ["recompiled"]


def recompiled(build: Callable[[], Callable[..., Any]], *, asynchronous: bool) -> Callable[..., Any]:
    """Return a function that calls what `build` compiles; `build` first runs at the first call.

    Safe across threads: two first calls may both compile, and either result may be used.
    """
    state: tuple[object, Callable[..., Any]] = (None, _not_compiled)

    def refresh() -> Callable[..., Any]:
        nonlocal state
        epoch = EPOCH[0]  # read before compiling: a change meanwhile makes the next call compile again
        compiled = build()
        state = (epoch, compiled)  # one write, so that no thread pairs an old call with a new epoch
        return compiled

    if asynchronous:

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            epoch, compiled = state
            run = compiled if epoch is EPOCH[0] else refresh()
            return await (run(*args, **kwargs) if kwargs else run(*args))

        return call_async

    def call(*args: Any, **kwargs: Any) -> Any:
        epoch, compiled = state
        run = compiled if epoch is EPOCH[0] else refresh()
        return run(*args, **kwargs) if kwargs else run(*args)

    return call


def _not_compiled(*_args: Any, **_kwargs: Any) -> Any:
    raise AssertionError("refresh runs first")
