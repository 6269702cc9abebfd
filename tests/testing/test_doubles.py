"""Tests of the test doubles: no waits, every call recorded, safe across threads."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

import resilience
from resilience import Policies, PolicyError, resilient
from resilience.testing import (
    AsyncScriptedTransport,
    FakeClock,
    ScriptedTransport,
    assert_sent,
    fresh_policies,
    no_waits,
    recorded_events,
)


def under_asyncio(main: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine function under asyncio."""
    return asyncio.run(main())


RUNNERS = pytest.mark.parametrize("run", [under_asyncio, trio.run], ids=["asyncio", "trio"])


def test_clock_moves_only_by_sleeps_and_advance() -> None:
    """A sleep returns at once, advances both times and is recorded; `step_wall` moves the Unix time alone."""
    clock = FakeClock(start=10.0, wall=1000.0)
    clock.sleep(1.5)
    clock.advance(2)
    clock.step_wall(-100)
    assert (clock.monotonic(), clock.time(), clock.sleeps) == (13.5, 903.5, [1.5])


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_clock_never_steps_back(seconds: float) -> None:
    """The monotonic time cannot be moved back."""
    with pytest.raises(ValueError, match="0 or more seconds"):
        FakeClock().advance(seconds)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="Windows has no such signal")
def test_doubles_in_a_signal_handler() -> None:
    """A handler that interrupts the clock or a transport at any line uses them too, and returns."""
    clock, transport = FakeClock(), ScriptedTransport([1] * 100)
    busy = [False]

    def use() -> None:
        clock.sleep(1.0)
        transport()

    def trace(frame: Any, event: str, _argument: object) -> Any:
        if "testing" not in frame.f_code.co_filename or "resilience" not in frame.f_code.co_filename:
            return None
        if event == "line" and not busy[0]:
            busy[0] = True
            signal.raise_signal(signal.SIGUSR1)
            busy[0] = False
        return trace

    before, tracing = signal.signal(signal.SIGUSR1, lambda *_: use()), sys.gettrace()
    sys.settrace(trace)
    try:
        use()
    finally:
        sys.settrace(tracing)
        signal.signal(signal.SIGUSR1, before)
    assert len(clock.sleeps) == len(transport.calls) > 5


def test_clock_under_threads() -> None:
    """Every sleep of every thread is recorded."""
    clock = FakeClock()
    threads = [threading.Thread(target=lambda: [clock.sleep(1) for _ in range(500)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (clock.monotonic(), len(clock.sleeps)) == (4000.0, 4000)


@RUNNERS
def test_clock_lets_other_tasks_run(run: Callable[..., Any]) -> None:
    """An async sleep yields once to the running loop."""
    clock = FakeClock()

    async def main() -> float:
        await clock.asleep(3)
        return clock.monotonic()

    assert run(main) == 3.0
    assert clock.sleeps == [3]


def test_sleepers_take_turns() -> None:
    """Two tasks that sleep on the fake clock run in turns."""
    clock, order = FakeClock(), []

    async def worker(name: str) -> None:
        for step in range(2):
            order.append(f"{name}{step}")
            await clock.asleep(1)

    async def main() -> None:
        await asyncio.gather(worker("a"), worker("b"))

    asyncio.run(main())
    assert order == ["a0", "b0", "a1", "b1"]


def test_script_plays_one_step_per_call() -> None:
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
    """A call beyond the last step fails with both numbers."""
    send = ScriptedTransport(["one"])
    send()
    with pytest.raises(AssertionError, match="1 steps, but this is call 2"):
        send()


@RUNNERS
def test_async_script(run: Callable[..., Any]) -> None:
    """The async transport awaits awaitable steps; the sync one has `acall`."""

    async def answer(*args: Any) -> str:
        return f"awaited {args[0]}"

    async def main() -> list[Any]:
        both = AsyncScriptedTransport(["one", answer])
        sync = ScriptedTransport(["three"])
        return [await both("x"), await both("y"), await sync.acall()]

    assert run(main) == ["one", "awaited y", "three"]


def test_recorded_events_end_with_the_block() -> None:
    """Events inside the block are recorded, later ones are not."""
    policies = Policies.builtin(clock=FakeClock())
    send = policies.resilient()(ScriptedTransport([TypeError("inside"), TypeError("after")]))
    with recorded_events(policies) as events, pytest.raises(TypeError, match="inside"):
        send()
    with pytest.raises(TypeError, match="after"):
        send()
    assert [event.name for event in events] == ["attempt_failed", "write_unknown", "call_failed"]


def test_no_waits_skips_real_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside the block the real clock does not sleep, sync or async, nested or not."""
    slept: list[float] = []
    here = threading.get_ident()  # a thread of an earlier test may sleep too

    def sleep(seconds: float) -> None:
        if threading.get_ident() == here:
            slept.append(seconds)

    monkeypatch.setattr("time.sleep", sleep)
    clock: Any = Policies.builtin().clock
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
    """The real clock waits under either loop; a delay of 0 does not wait."""
    clock: Any = Policies.builtin().clock

    async def main() -> bool:
        await clock.asleep(0)
        before = clock.monotonic()
        await clock.asleep(0.001)
        return clock.monotonic() > before

    assert run(main)


def test_script_remembers_the_key_of_each_attempt() -> None:
    """All attempts of one logical write have one key; outside a pipeline there is none."""
    send = ScriptedTransport([ConnectionRefusedError("busy"), "accepted", "accepted", "plain"])
    place = Policies.builtin(clock=FakeClock()).resilient(key="client_id")(send)
    assert [place(1), place(2), send()] == ["accepted", "accepted", "plain"]
    first, second, third, none = send.keys
    assert first == second != third
    assert none is None
    assert_sent(send, 4, keys=2)


CAUTIOUS = {"version": 1, "policies": {"default": {"retry": {"max_attempts": 2}, "breaker": {"consecutive": 2}}}}


@pytest.fixture
def restored() -> Iterator[None]:
    """Policies that the test configures are replaced by the earlier ones at its end."""
    with fresh_policies():
        yield


@pytest.mark.usefixtures("restored")
def test_fresh_policies_leave_no_trace() -> None:
    """Breakers begin closed in each block, decorated functions follow, and the earlier policies come back."""
    before = resilience.configure({"version": 1, "policies": {"default": {"retry": {"max_attempts": 1}}}})
    send = ScriptedTransport([ConnectionRefusedError("busy")] * 5)
    fetch = resilient(idempotent=True)(send)
    for _ in range(2):
        with fresh_policies(CAUTIOUS) as policies, pytest.raises(ConnectionRefusedError):
            fetch()
        assert policies.pipeline().breaker.state == "open"
        assert len(policies.clock.sleeps) == 1  # type: ignore[attr-defined]
    with pytest.raises(ConnectionRefusedError):
        fetch()
    assert (len(send.calls), before.pipeline().describe()["max_attempts"]) == (5, 1)


def test_fresh_policies_of_a_file_and_of_an_unconfigured_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is read; without one the default policies are loaded; a wrong one raises and changes nothing."""
    path = tmp_path / "resilience.yaml"
    path.write_text("version: 1\npolicies: {mine: {deadline: 3s}}\n", "utf-8")
    monkeypatch.delenv("RESILIENCE_POLICIES", raising=False)
    with fresh_policies(path) as policies:
        assert policies.policy("mine").deadline == 3
    monkeypatch.chdir(tmp_path)
    clock = FakeClock()
    with fresh_policies(clock=clock) as policies:
        assert (policies.policy("mine").deadline, policies.clock) == (3, clock)
        with pytest.raises(PolicyError, match="deadlin"), fresh_policies({"policies": {"x": {"deadlin": 1}}}):
            pass
        with recorded_events() as events:
            assert resilient("mine")(lambda: 1)() == 1
        assert events == []


def run_in_pytest(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, source: str, settings: str = "") -> None:
    """Run a test file in a pytest of its own; all of its tests must pass."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.delenv("RESILIENCE_POLICIES", raising=False)
    pytester.makepyfile(source)
    pytester.makeini(f"[pytest]\naddopts = -p resilience.testing_plugin -p no:resilience\n{settings}")
    outcome = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:xdist")
    outcome.assert_outcomes(passed=source.count("def test_"))


@pytest.mark.slow
def test_plugin_fixtures(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixtures come with the package."""
    run_in_pytest(
        pytester,
        monkeypatch,
        """
        def test_both(resilience_clock, resilience_events):
            resilience_clock.sleep(1)
            assert resilience_clock.sleeps == [1]
            assert resilience_events == []
        """,
    )


@pytest.mark.slow
def test_plugin_policies(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """`resilience_policies` reads the file of pytest's settings for each test, on the fake clock."""
    pytester.path.joinpath("bot.yaml").write_text(
        "version: 1\npolicies: {default: {retry: {max_attempts: 2}, breaker: {consecutive: 2}}}\n", "utf-8"
    )
    run_in_pytest(
        pytester,
        monkeypatch,
        """
        import pytest
        from resilience import resilient

        @resilient(idempotent=True)
        def fetch():
            raise ConnectionRefusedError

        @pytest.mark.parametrize("turn", [1])
        def test_first(turn, resilience_events, resilience_policies, resilience_clock):
            with pytest.raises(ConnectionRefusedError):
                fetch()
            assert resilience_policies.pipeline().breaker.state == "open"
            assert len(resilience_clock.sleeps) == 1
            assert [event.name for event in resilience_events][-1] == "call_failed"

        def test_second(resilience_policies):
            assert resilience_policies.pipeline().breaker.state == "closed"
        """,
        "resilience_policies = bot.yaml",
    )
