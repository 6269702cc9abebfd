"""The doubles do what tests rely on: no waiting, everything recorded, safe under threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import trio

from resilience._clock import SystemClock
from resilience._core.events import Event, Events
from resilience.testing import AsyncScriptedTransport, FakeClock, ScriptedTransport, no_waits, recorded_events


def under_asyncio(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine function under asyncio."""
    return asyncio.run(main())


RUNNERS = pytest.mark.parametrize("run", [under_asyncio, trio.run], ids=["asyncio", "trio"])


def test_clock_moves_only_when_told() -> None:
    """A sleep returns at once, moves both times and is recorded; a step of the wall clock moves one."""
    clock = FakeClock(start=10.0, wall=1000.0)
    clock.sleep(1.5)
    clock.advance(2)
    clock.step_wall(-100)
    assert (clock.monotonic(), clock.time(), clock.sleeps) == (13.5, 903.5, [1.5])


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_clock_never_steps_back(seconds: float) -> None:
    """Monotonic means monotonic."""
    with pytest.raises(ValueError, match="forward only"):
        FakeClock().advance(seconds)


def test_clock_under_threads() -> None:
    """No sleep of any thread is lost."""
    clock = FakeClock()
    threads = [threading.Thread(target=lambda: [clock.sleep(1) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (clock.monotonic(), len(clock.sleeps)) == (4000.0, 4000)


@RUNNERS
def test_clock_lets_other_tasks_run(run: Callable[..., Any]) -> None:
    """An async sleep yields once to whichever loop runs."""
    clock = FakeClock()

    async def main() -> float:
        await clock.asleep(3)
        return clock.monotonic()

    assert run(main) == 3.0
    assert clock.sleeps == [3]


def test_sleepers_take_turns() -> None:
    """Two tasks that sleep on the fake clock interleave."""
    clock, order = FakeClock(), []

    async def worker(name: str) -> None:
        for step in range(2):
            order.append(f"{name}{step}")
            await clock.asleep(1)

    async def main() -> None:
        await asyncio.gather(worker("a"), worker("b"))

    asyncio.run(main())
    assert order == ["a0", "b0", "a1", "b1"]


def test_script_plays_one_step_a_call() -> None:
    """Values are returned, errors raised, callables called; every call is recorded."""
    send = ScriptedTransport([1, TimeoutError("slow"), KeyError, lambda *args, **kwargs: (args, kwargs)])
    assert send("a") == 1
    with pytest.raises(TimeoutError, match="slow"):
        send()
    with pytest.raises(KeyError):
        send()
    assert send(1, b=2) == ((1,), {"b": 2})
    assert send.remaining == 0
    assert [tuple(call) for call in send.calls] == [(("a",), {}), ((), {}), ((), {}), ((1,), {"b": 2})]


def test_script_that_runs_out_says_so() -> None:
    """A call too many fails the test with both numbers."""
    send = ScriptedTransport(["one"])
    send()
    with pytest.raises(AssertionError, match="1 steps, but this is call 2"):
        send()


@RUNNERS
def test_async_script(run: Callable[..., Any]) -> None:
    """The async twin awaits what can be awaited; the sync one has an async door too."""

    async def answer(*args: Any) -> str:
        return f"awaited {args[0]}"

    async def main() -> list[Any]:
        both = AsyncScriptedTransport(["one", answer])
        door = ScriptedTransport(["three"])
        return [await both("x"), await both("y"), await door.acall()]

    assert run(main) == ["one", "awaited y", "three"]


def test_recorded_events_end_with_the_block() -> None:
    """Events of the block are listed, later ones are not."""
    events = Events()
    with recorded_events(events) as seen:
        events.emit(Event(name="call_failed"))
    events.emit(Event(name="call_recovered"))
    assert [event.name for event in seen] == ["call_failed"]


def test_no_waits_skips_real_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the block the real clock does not sleep, sync or async, nested or not; after it, it does."""
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    clock = SystemClock()
    with no_waits():
        with no_waits():
            clock.sleep(1000)
        clock.sleep(1000)
        asyncio.run(clock.asleep(1000))
        trio.run(clock.asleep, 1000)
    clock.sleep(2)
    clock.sleep(0)
    assert slept == [2]


@RUNNERS
def test_real_clock_waits_under_both_loops(run: Callable[..., Any]) -> None:
    """The real clock finds the loop that runs; a delay of 0 is no wait at all."""
    clock = SystemClock()

    async def main() -> bool:
        await clock.asleep(0)
        before = clock.monotonic()
        await clock.asleep(0.001)
        return clock.monotonic() > before

    assert run(main)


def test_plugin_fixtures(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixtures come with the package."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    pytester.makepyfile(
        """
        def test_both(resilience_clock, resilience_events):
            resilience_clock.sleep(1)
            assert resilience_clock.sleeps == [1]
            assert resilience_events == []
        """
    )
    pytester.makeini("[pytest]\naddopts = -p resilience.testing_plugin -p no:resilience")
    pytester.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
