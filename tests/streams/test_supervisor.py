"""The shell that waits, on virtual time and scripted connections: any connect function, no task left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from resilience import Policies
from resilience.simulate.virtual_loop import VirtualClock, run_virtual
from resilience.streams import StreamClient, StreamSettings, StreamVenue
from resilience.streams.connection_windows import connect_window
from resilience.streams.session.stream_failure import EVENTS, Gap
from tests.streams.scripted import Plain

A = {"of": "a"}


class Wire:
    """One scripted connection: it answers as a good venue, until it is cut or falls silent."""

    def __init__(self, venue: Script) -> None:
        self.venue = venue
        self.frames: asyncio.Queue[Any] = asyncio.Queue()
        self.sent: list[Any] = []
        self.silent = self.closed = False

    async def send(self, text: str) -> None:
        """Answer a frame."""
        if self.closed:
            raise ConnectionResetError
        self.sent.append(text)
        if self.silent:
            return
        told = {"op": "ping"} if text == "ping" else json.loads(text)
        if told["op"] == "ping":
            self.say("pong")
        elif told["op"] == "login":
            self.say({"login": 1})
        else:
            for one in told["args"]:
                self.say({"ack" if told["op"] == "subscribe" else "left": one["of"]})

    def say(self, told: Any) -> None:
        """Let a frame come."""
        self.frames.put_nowait(json.dumps(told))

    def cut(self) -> None:
        """Lose the connection."""
        self.closed = True
        self.frames.put_nowait(ConnectionResetError())

    async def receive(self) -> str:
        """Return the next frame."""
        told = await self.frames.get()
        if isinstance(told, Exception):
            raise told
        return str(told)

    async def close(self) -> None:
        """Say goodbye."""
        self.closed = True


class Script:
    """A venue whose connections the test holds in its hand."""

    def __init__(self, *refused: Exception) -> None:
        self.wires: list[Wire] = []
        self.refused = list(refused)

    async def connect(self, _url: str) -> Wire:
        """Open a connection, or refuse it."""
        await asyncio.sleep(0.05)
        if self.refused:
            raise self.refused.pop(0)
        self.wires.append(Wire(self))
        return self.wires[-1]


def run(story: Callable[[StreamClient, Script, list[Any]], Coroutine[Any, Any, None]], **told: Any) -> list[Any]:
    """Run a story with a client on virtual time; returns every event as (name, value)."""
    script = Script(*told.pop("refused", ()))
    fetch, limits, policy = told.pop("fetch", None), told.pop("limits", None), told.pop("policy", {})
    events: list[Any] = []

    async def whole() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        policies = Policies.from_mapping({"policies": {"s": {"extends": "bitget-ws", **policy}}}, clock=clock)
        venue = StreamVenue(
            dialect=Plain(), urls={"private": "ws://venue.test/x"}, route=lambda _arg: "private",
            connect=script.connect, private=frozenset({"private"}), fetch=fetch,
        )  # fmt: skip
        client = StreamClient(venue, policy="s", policies=policies, limits=limits)
        for name in EVENTS:
            client.on(name, lambda value, name=name: events.append((name, value)))
        async with client:
            await story(client, script, events)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(whole())
    assert all(wire.closed for wire in script.wires)
    return events


def names(events: list[Any]) -> list[str]:
    """Return the names of events, answers left out."""
    return [name for name, _ in events if name != "response"]


def test_a_day_of_drops_and_silence() -> None:
    """Cut, silent and refused connections for a virtual day: live again each time, pings on time, nothing left."""

    async def story(client: StreamClient, script: Script, _events: list[Any]) -> None:
        client.subscribe(A)
        for hour in range(24):
            await asyncio.sleep(3600)
            assert client.states == {"private": "live"}
            wire = script.wires[-1]
            if hour % 3 == 0:
                script.refused = [ConnectionRefusedError()] * 5
            if hour % 2:
                wire.cut()
            else:
                wire.silent = True

    events = run(story)
    assert names(events).count("reconnected") == 23
    assert names(events).count("gap") == 23
    codes = [value.code for name, value in events if name == "exception"]
    assert (codes.count("no_pong"), codes.count("connection_reset")) == (12, 11)
    assert codes.count("connection_refused") == 40


def test_a_fetch_that_fails_is_tried_again() -> None:
    """What a gap swallowed comes as updates, once the fetch succeeds; each failure is told."""
    asked: list[Gap] = []

    async def fetch(gap: Gap) -> list[Any]:
        asked.append(gap)
        if len(asked) < 3:
            raise ConnectionResetError
        return [{"of": "a", "missed": True}]

    async def story(client: StreamClient, script: Script, _events: list[Any]) -> None:
        client.subscribe(A)
        await client.ready()
        script.wires[0].say({"of": "a", "data": 1})
        await asyncio.sleep(1)
        script.wires[0].cut()
        await asyncio.sleep(60)

    events = run(story, fetch=fetch)
    assert [value for name, value in events if name == "update"] == [
        {"of": "a", "data": 1},
        {"of": "a", "missed": True},
    ]
    failed = [value for name, value in events if name == "exception" and value.phase == "fetch_missed"]
    assert len(failed) == 2
    assert all(one.action_text.startswith("asks again in") for one in failed)
    assert len({(gap.since, gap.until) for gap in asked}) == 1


def test_a_fetch_with_a_bug_is_told_once() -> None:
    """A bug is fatal: it is told, and the stream goes on."""

    async def fetch(_gap: Gap) -> list[Any]:
        raise KeyError("orders")

    async def story(client: StreamClient, script: Script, _events: list[Any]) -> None:
        client.subscribe(A)
        await client.ready()
        script.wires[0].cut()
        await asyncio.sleep(60)
        assert client.states == {"private": "live"}

    events = run(story, fetch=fetch)
    failed = [value for name, value in events if name == "exception" and value.phase == "fetch_missed"]
    assert [(one.category.value, one.action_text) for one in failed] == [("fatal", "goes on without what was missed")]


@pytest.mark.parametrize("overflow", ["block", "drop_oldest", "latest"])
def test_a_slow_handler(overflow: str) -> None:
    """The connection lives however slow the handler is; what becomes of the updates is the queue's rule."""
    limits = StreamSettings(queue=5, overflow=overflow)  # type: ignore[arg-type]
    heard: list[int] = []

    async def slow(update: Any) -> None:
        await asyncio.sleep(30)
        heard.append(update["data"])

    async def story(client: StreamClient, script: Script, events: list[Any]) -> None:
        client.on("update", slow)
        client.subscribe(A)
        await client.ready()
        for number in range(20):
            script.wires[0].say({"of": "a", "data": number})
        await asyncio.sleep(3600)
        assert len(script.wires) == 1
        assert not [name for name in names(events) if name == "exception"]

    run(story, limits=limits)
    assert heard == {"block": list(range(20)), "drop_oldest": heard, "latest": [19]}[overflow]
    assert heard[-1] == 19
    assert len(heard) <= {"block": 20, "drop_oldest": 6, "latest": 1}[overflow]


def test_the_policy_says_how_long_it_waits() -> None:
    """The backoff is the policy's, and the exception says how long it is."""

    async def story(client: StreamClient, script: Script, events: list[Any]) -> None:
        client.subscribe(A)
        await client.ready()
        script.wires[0].cut()
        await asyncio.sleep(10)
        (failure,) = [value for name, value in events if name == "exception"]
        assert failure.wait_for == 3.0

    run(story, policy={"retry": {"backoff": {"initial": "3s", "max": "3s", "jitter": "none"}}})


def test_closing_while_everything_is_under_way() -> None:
    """Closed while it connects, logs in, waits: nothing is left, and `close` is told once."""
    for moment in (0.0, 0.01, 0.05, 0.06, 5.0):

        async def story(client: StreamClient, _script: Script, _events: list[Any], moment: float = moment) -> None:
            client.subscribe(A)
            await asyncio.sleep(moment)

        events = run(story, refused=[ConnectionRefusedError()] if moment == 5.0 else [])
        assert names(events)[-1] == "close"
        assert names(events).count("close") == 1


def test_a_handler_that_never_returns_does_not_hold_the_end_up() -> None:
    """Closing waits for handlers, and not for ever."""

    async def story(client: StreamClient, script: Script, _events: list[Any]) -> None:
        client.on("update", lambda _update: asyncio.sleep(1e9))
        client.subscribe(A)
        await client.ready()
        script.wires[0].say({"of": "a", "data": 1})
        await asyncio.sleep(1)

    run(story)


def test_clients_of_one_host_share_its_window_of_connects() -> None:
    """The venue counts an address, not a client."""
    policies = Policies.builtin()
    windows = [connect_window(policies, StreamSettings().connects, host) for host in ("a", "a", "b")]
    assert windows[0] is windows[1]
    assert windows[0] is not windows[2]
    assert connect_window(Policies.builtin(), StreamSettings().connects, "a") is not windows[0]
