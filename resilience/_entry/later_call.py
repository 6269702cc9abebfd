"""Puts under a policy what a method only makes: an awaitable, a task, or a context manager that connects when entered.

The method itself only makes something. An attempt calls it and awaits, or enters, the result. A retry calls the method
again, because an awaitable can be used once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import asyncio

    from .hand_outs import HandOut

from .._core.base.context_variables import reset_variable

__all__ = [
    "LaterCall",
    "LaterCalls",
    "LaterPages",
    "MadeResult",
    "attempt_await",
    "attempt_enter",
    "attempt_enter_async",
    "start_task",
]

_MADE: ContextVar[list[Any] | None] = ContextVar("resilience_made", default=None)
"""What the method has made already, for the first attempt; emptied by it, whichever task runs it."""


class MadeResult(NamedTuple):
    """What a method made, with the arguments of its call, the key included."""

    value: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class LaterCalls(NamedTuple):
    """The ways to use what one method makes, each compiled under its policy."""

    wait: Callable[..., Any]
    enter: Callable[..., Any]
    enter_async: Callable[..., Any]
    pages: Callable[[Any], Any]
    hand_out: HandOut


def attempt_await(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return one attempt that awaits what the method makes."""

    async def attempt(*args: Any, **kwargs: Any) -> Any:
        return await _make(method, args, kwargs)

    return attempt


def attempt_enter(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return one attempt that enters what the method makes; it returns the context manager with what it gave."""

    def attempt(*args: Any, **kwargs: Any) -> Any:
        manager = _make(method, args, kwargs)
        return (manager, manager.__enter__())

    return attempt


def attempt_enter_async(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return one attempt that enters what the method makes, by `async with`."""

    async def attempt(*args: Any, **kwargs: Any) -> Any:
        manager = _make(method, args, kwargs)
        return (manager, await manager.__aenter__())

    return attempt


def _make(method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    made = _MADE.get()
    return made.pop() if made else method(*args, **kwargs)


class LaterCall:
    """What the caller gets: awaited or entered, it runs under the policy; else it is what the method made.

    Used once, like what it stands for.
    """

    def __init__(self, calls: LaterCalls, made: MadeResult) -> None:
        self._calls = calls
        self._made = made
        self._manager: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made.value, name)

    def __repr__(self) -> str:
        return f"<resilient {self._made.value!r}>"

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.wait().__await__()

    async def wait(self) -> Any:
        """Await what the method made; where that is a coroutine, the caller gets this one."""
        return self._calls.hand_out.passed(await self._run_async(self._calls.wait))

    async def __aenter__(self) -> Any:
        self._manager, entered = await self._run_async(self._calls.enter_async)
        return self._calls.hand_out.passed(entered)

    async def __aexit__(self, *error: object) -> Any:
        return await self._manager.__aexit__(*error)

    def __enter__(self) -> Any:
        token = _MADE.set([self._made.value])
        try:
            self._manager, entered = self._calls.enter(*self._made.args, **self._made.kwargs)
        finally:
            reset_variable(_MADE, token)
        return self._calls.hand_out.passed(entered)

    def __exit__(self, *error: object) -> Any:
        return self._manager.__exit__(*error)

    async def _run_async(self, call: Callable[..., Any]) -> Any:
        token = _MADE.set([self._made.value])
        try:
            return await call(*self._made.args, **self._made.kwargs)
        finally:
            reset_variable(_MADE, token)


class LaterPages(LaterCall):
    """What can be awaited and iterated over, such as the first page of a list and all of its items."""

    def __aiter__(self) -> Any:
        return self._calls.pages(self._made.value.__aiter__())


def start_task(call: LaterCall) -> asyncio.Task[Any]:
    """Return a task of the running loop that awaits the call: a method that starts its work gives a future."""
    import asyncio  # a program without a loop does not pay for it

    return asyncio.ensure_future(call)
