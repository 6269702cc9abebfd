"""How a driver brings an attempt past its door, and how the async one cuts it at its limit: asyncio and trio alike.

Imported by the drivers alone. Neither library is imported before it runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import inf
from threading import Event
from typing import Any

from .._core.call.attempt_gate import Door
from .._core.call.plan import Plan
from .._core.call.rejection import turned_away
from .._core.call.steps import Action
from .asyncio_timeouts import begin
from .system_clock import running_trio

__all__ = ["aentered", "apassed", "cut", "entered", "limited", "limited_by_trio", "passed"]

Entered = tuple[Any, Any, float]
"""The breaker's leave, the slot, and the instant from which an attempt counts."""


def entered(
    plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any], deadline: float, outer: object, now: float
) -> Entered:
    """Bring a first attempt to where it may be sent.

    Raises:
        RejectedError: it was refused, and nothing was sent.
    """
    gate = plan.at_once(now)
    if gate is not None:
        return gate, None, now
    door = Door(plan, args, kwargs, deadline)
    passed(door)
    if door.refusal is not None:
        raise turned_away(plan, door, outer)
    return door.ticket, door.slot, door.now


async def aentered(
    plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any], deadline: float, outer: object, now: float
) -> Entered:
    """Bring a first attempt to where it may be sent; errors as for `entered`."""
    gate = plan.at_once(now)
    if gate is not None:
        return gate, None, now
    door = Door(plan, args, kwargs, deadline)
    await apassed(door)
    if door.refusal is not None:
        raise turned_away(plan, door, outer)
    return door.ticket, door.slot, door.now


def passed(door: Door) -> None:
    """Wait until the attempt may be sent or is refused; a wait that is broken off gives everything back."""
    try:
        while True:
            action, seconds = door.ask()
            if action is Action.WAIT:
                door.clock.sleep(seconds)
            elif action is Action.PARK:
                woken = Event()
                if door.queue(woken.set):
                    woken.wait(seconds)
            else:
                return
    except BaseException:
        door.withdraw()
        raise


async def apassed(door: Door) -> None:
    """Wait until the attempt may be sent or is refused; a wait that is broken off gives everything back."""
    try:
        while True:
            action, seconds = door.ask()
            if action is Action.WAIT:
                await door.clock.asleep(seconds)
            elif action is Action.PARK:
                await (_park_trio if running_trio() is not None else _park_asyncio)(door, seconds)
            else:
                return
    except BaseException:
        door.withdraw()
        raise


async def _park_asyncio(door: Door, seconds: float) -> None:
    import asyncio

    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    if door.queue(lambda: loop.call_soon_threadsafe(wake)):
        await asyncio.wait((woken,), timeout=seconds)


async def _park_trio(door: Door, seconds: float) -> None:
    trio = running_trio()
    woken, token = trio.Event(), trio.lowlevel.current_trio_token()
    if door.queue(lambda: token.run_sync_soon(woken.set)):
        with trio.move_on_after(seconds):
            await woken.wait()


async def limited(
    send: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any], seconds: float
) -> Any:
    """Await one attempt for at most these seconds.

    Raises:
        TimeoutError: the attempt was cut at its limit; it may have taken effect.
    """
    if seconds == inf:
        return await send(*args, **kwargs)
    limit = begin(seconds)
    if limit is None:
        return await limited_by_trio(send, args, kwargs, seconds)
    try:
        return await send(*args, **kwargs)
    except BaseException as error:
        if limit.end(error):
            raise cut(seconds) from None
        raise
    finally:
        limit.end()


async def limited_by_trio(
    send: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: Mapping[str, Any], seconds: float
) -> Any:
    """Await one attempt under trio for at most these seconds; errors as for `limited`."""
    over = True
    with running_trio().move_on_after(max(0.0, seconds)):
        result = await send(*args, **kwargs)
        over = False
    if over:
        raise cut(seconds)
    return result


def cut(seconds: float) -> TimeoutError:
    """Return what an attempt fails with that was cut at its limit."""
    return TimeoutError(f"cut at the attempt's limit of {seconds:.3g} s")
