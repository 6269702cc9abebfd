"""Makes a compiled call follow `configure` and reloads: it is compiled again at its first use after a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .epoch import EPOCH

__all__ = ["recompiled"]


class _Compiled:
    """What `build` has compiled, and in which epoch. A copy in another process begins with nothing compiled.

    Attributes:
        pair: the epoch's mark and the compiled call: one attribute, so that no thread pairs an old call with a new
            epoch.
    """

    __slots__ = ("_build", "pair")

    def __init__(self, build: Callable[[], Callable[..., Any]]) -> None:
        self._build = build
        self.pair: tuple[object, Callable[..., Any]] = (None, _not_compiled)

    def refresh(self) -> Callable[..., Any]:
        """Compile again."""
        mark = EPOCH.mark  # read before compiling: a change meanwhile makes the next call compile again
        call = self._build()
        self.pair = (mark, call)
        return call

    def __reduce__(self) -> tuple[Any, ...]:
        return _Compiled, (self._build,)


def recompiled(build: Callable[[], Callable[..., Any]], *, asynchronous: bool) -> Callable[..., Any]:
    """Return a function that calls what `build` compiles; `build` first runs at the first call.

    Safe across threads: two first calls may both compile, and either result may be used.
    """
    compiled = _Compiled(build)

    if asynchronous:

        async def call_async(*args: Any, **kwargs: Any) -> Any:
            mark, run = compiled.pair
            if mark is not EPOCH.mark:
                run = compiled.refresh()
            return await (run(*args, **kwargs) if kwargs else run(*args))

        return call_async

    def call(*args: Any, **kwargs: Any) -> Any:
        mark, run = compiled.pair
        if mark is not EPOCH.mark:
            run = compiled.refresh()
        return run(*args, **kwargs) if kwargs else run(*args)

    return call


def _not_compiled(*_args: Any, **_kwargs: Any) -> Any:
    raise AssertionError("refresh runs first")
