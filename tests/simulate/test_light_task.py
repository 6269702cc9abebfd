"""Light tasks of a virtual loop do what tasks of asyncio do, as far as a simulated request can see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from resilience.simulate.virtual_loop import VirtualClock, VirtualLoop, run_virtual

STORY: list[Any] = []
NAME: ContextVar[str] = ContextVar("NAME", default="nobody")
Body = Callable[[], Coroutine[Any, Any, Any]]


def story_of(body: Body, *, light: bool, cancelled_at: tuple[float, ...] = ()) -> list[Any]:
    """Return what a coroutine noted, and when, run as a light task or as a task of asyncio."""
    STORY.clear()

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        loop.call_soon(begin, loop)
        await asyncio.sleep(100)

    def begin(loop: Any) -> None:
        for when in cancelled_at:
            loop.call_at(when, cancel, loop)
        loop.task = (loop.start if light else loop.create_task)(body())  # asyncio's own reference to a task is weak

    def cancel(loop: Any) -> None:
        loop.task.cancel()

    run_virtual(main())
    return STORY.copy()


def note(what: Any) -> None:
    """Note something with the present instant."""
    STORY.append((asyncio.get_running_loop().time(), what))


def clock() -> VirtualClock:
    """Return the clock of the running loop."""
    return VirtualClock(asyncio.get_running_loop())


async def waits_of_every_kind() -> None:
    """Wait for a time, a turn, a future, tasks, and a future that fails."""
    loop = asyncio.get_running_loop()
    await clock().asleep(1)
    note("a pause")
    await asyncio.sleep(0)
    note("a turn")
    future = loop.create_future()
    loop.call_later(2, future.set_result, "x")
    note(await future)
    note(await asyncio.gather(asyncio.sleep(1, "a"), asyncio.sleep(2, "b")))
    failed = loop.create_future()
    failed.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await failed


async def time_limits() -> None:
    """Set time limits that are reached, and one that ends with the pause."""
    for seconds in (3.0, 1.0):  # the second ends at the instant at which the pause ends, and was set before it
        try:
            async with asyncio.timeout(seconds):
                await clock().asleep(1 if seconds == 1.0 else 9)
            note("in time")
        except TimeoutError:
            note("timed out")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 1)
    note("waited")


async def stubborn() -> None:
    """Go on when cancelled, and cancel itself at last."""
    try:
        await clock().asleep(50)
    except asyncio.CancelledError:
        note("cancelled in a pause")
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        note("cancelled at a future")
    task = asyncio.current_task()
    assert task is not None
    note((task.cancelling(), task.uncancel(), task.uncancel(), task.done()))
    task.cancel()
    await clock().asleep(50)
    note("never")


async def context() -> None:
    """Set a context variable, which belongs to the task."""
    NAME.set("somebody")
    await clock().asleep(1)
    note(NAME.get())
    asyncio.get_running_loop().call_soon(lambda: note(NAME.get()))
    await asyncio.sleep(0)


STORIES = [waits_of_every_kind, time_limits, stubborn, context]


@pytest.mark.parametrize("body", STORIES, ids=lambda body: body.__name__)
def test_it_is_like_a_task_of_asyncio(body: Body) -> None:
    """The same happens at the same instants in the same order."""
    cancelled_at = (2.0, 4.0) if body is stubborn else ()
    story = story_of(body, light=True, cancelled_at=cancelled_at)
    assert story == story_of(body, light=False, cancelled_at=cancelled_at)
    assert len(story) > 1


def test_cancelled_at_the_instant_at_which_its_pause_ends() -> None:
    """As in asyncio, a cancellation that comes before the step that follows the pause is what the task gets."""

    async def body() -> None:
        try:
            await clock().asleep(2)
            note("ended")
        finally:
            note("left")

    for when in (2.0, 1.0):
        story = story_of(body, light=True, cancelled_at=(when,))
        assert story == story_of(body, light=False, cancelled_at=(when,))
    assert story == [(1.0, "left")]


def test_what_it_says_of_itself() -> None:
    """`asyncio.current_task` returns it while it runs, and it has a name for log records."""

    async def body() -> None:
        task: Any = asyncio.current_task()
        note((task.get_name(), task.done(), task.get_coro() is not None))

    assert story_of(body, light=True) == [(0.0, ("simulated request", False, True))]

    async def main() -> tuple[Any, ...]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        asked = loop.create_future()
        loop.call_soon(lambda: asked.set_result(loop.start(body())))
        task = await asked
        return task.done(), task.cancel(), task.get_coro(), task.uncancel()

    assert run_virtual(main()) == (True, False, None, 0)


class Foreign:
    """What another library waits for."""

    def __await__(self) -> Any:
        yield self


def test_a_wait_that_is_not_of_asyncio() -> None:
    """Another library's wait raises an error where it is awaited, as in a task of asyncio."""

    async def body() -> None:
        with pytest.raises(RuntimeError, match=r"cannot wait for <.*Foreign object.*not of asyncio"):
            await Foreign()
        note("went on")

    assert story_of(body, light=True) == [(0.0, "went on")]


def test_errors_that_it_raises() -> None:
    """The loop's exception handler gets them, and the loop goes on; what ends a program ends the loop."""
    seen: list[Any] = []

    async def body() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))
        await clock().asleep(1)
        raise ending

    ending: BaseException = ValueError("no")
    story_of(body, light=True)
    assert seen == [ending]
    ending = SystemExit(3)
    with pytest.raises(SystemExit):
        story_of(body, light=True)
