"""The supervisor on virtual time with scripted connections: it works with any connect function and leaves no task."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from resilience import Policies, current_call
from resilience.simulate import VirtualClock, run_virtual
from resilience.streams import StreamClient, StreamSettings, StreamVenue
from resilience.streams.connection_windows import connect_window
from resilience.streams.session.stream_failure import EVENTS, Gap
from tests.streams.session_rig import PlainDialect

A = {"of": "a"}


class ScriptedSocket:
    """A scripted connection that answers like a working venue until it is cut or silent."""

    def __init__(self, venue: ScriptedVenue) -> None:
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
        frame = {"op": "ping"} if text == "ping" else json.loads(text)
        if frame["op"] == "ping":
            self.deliver("pong")
        elif frame["op"] == "login":
            self.deliver({"login": 1})
        else:
            for one in frame["args"]:
                self.deliver({"ack" if frame["op"] == "subscribe" else "left": one["of"]})

    def deliver(self, body: Any) -> None:
        """Deliver a frame."""
        self.frames.put_nowait(json.dumps(body))

    def cut(self) -> None:
        """Lose the connection."""
        self.closed = True
        self.frames.put_nowait(ConnectionResetError())

    async def receive(self) -> str:
        """Return the next frame."""
        frame = await self.frames.get()
        if isinstance(frame, Exception):
            raise frame
        return str(frame)

    async def close(self) -> None:
        """Close the connection."""
        self.closed = True


class ScriptedVenue:
    """A venue whose connections the test controls; it refuses the first attempts with the given errors."""

    def __init__(self, *refused: Exception) -> None:
        self.sockets: list[ScriptedSocket] = []
        self.refused = list(refused)

    async def connect(self, _url: str) -> ScriptedSocket:
        """Open a connection, or raise the next error."""
        await asyncio.sleep(0.05)
        if self.refused:
            raise self.refused.pop(0)
        self.sockets.append(ScriptedSocket(self))
        return self.sockets[-1]


def run(
    story: Callable[[StreamClient, ScriptedVenue, list[Any]], Coroutine[Any, Any, None]], **options: Any
) -> list[Any]:
    """Run a story with a client on virtual time; return every event as (name, value)."""
    venue = ScriptedVenue(*options.pop("refused", ()))
    fetch, limits, policy = options.pop("fetch", None), options.pop("limits", None), options.pop("policy", {})
    events: list[Any] = []

    async def whole() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        policies = Policies.from_mapping({"policies": {"s": {"extends": "bitget-ws", **policy}}}, clock=clock)
        described = StreamVenue(
            dialect=PlainDialect(), urls={"private": "ws://venue.test/x"}, route=lambda _arg: "private",
            connect=venue.connect, private=frozenset({"private"}), fetch=fetch,
        )  # fmt: skip
        client = StreamClient(described, policy="s", policies=policies, limits=limits)
        for name in EVENTS:
            client.on(name, lambda value, name=name: events.append((name, value)))
        async with client:
            await story(client, venue, events)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(whole())
    assert all(socket.closed for socket in venue.sockets)
    return events


def names(events: list[Any]) -> list[str]:
    """Return the names of the events except answers."""
    return [name for name, _ in events if name != "response"]


@pytest.mark.slow
def test_a_day_of_drops_and_silence() -> None:
    """Cut, silent and refused connections for a virtual day: it becomes live again each time."""

    async def story(client: StreamClient, venue: ScriptedVenue, _events: list[Any]) -> None:
        client.subscribe(A)
        for hour in range(24):
            await asyncio.sleep(3600)
            assert client.states == {"private": "live"}
            socket = venue.sockets[-1]
            if hour % 3 == 0:
                venue.refused = [ConnectionRefusedError()] * 5
            if hour % 2:
                socket.cut()
            else:
                socket.silent = True

    events = run(story)
    assert names(events).count("reconnected") == 23
    assert names(events).count("gap") == 23
    codes = [value.code for name, value in events if name == "exception"]
    assert (codes.count("no_pong"), codes.count("connection_reset")) == (12, 11)
    assert codes.count("connection_refused") == 40


def test_a_failed_fetch_is_retried() -> None:
    """Missed updates are delivered once the fetch succeeds; each failed fetch is emitted."""
    gaps: list[Gap] = []

    async def fetch(gap: Gap) -> list[Any]:
        gaps.append(gap)
        if len(gaps) < 3:
            raise ConnectionResetError
        return [{"of": "a", "missed": True}]

    async def story(client: StreamClient, venue: ScriptedVenue, _events: list[Any]) -> None:
        client.subscribe(A)
        await client.ready()
        venue.sockets[0].deliver({"of": "a", "data": 1})
        await asyncio.sleep(1)
        venue.sockets[0].cut()
        await asyncio.sleep(60)

    events = run(story, fetch=fetch)
    assert [value for name, value in events if name == "update"] == [
        {"of": "a", "data": 1},
        {"of": "a", "missed": True},
    ]
    failed = [value for name, value in events if name == "exception" and value.phase == "fetch_missed"]
    assert len(failed) == 2
    assert all(one.action_text.startswith("asks again in") for one in failed)
    assert len({(gap.since, gap.until) for gap in gaps}) == 1


def test_a_bug_in_a_fetch_is_emitted_once() -> None:
    """A bug in the fetch is emitted as fatal, and the stream continues."""

    async def fetch(_gap: Gap) -> list[Any]:
        raise KeyError("orders")

    async def story(client: StreamClient, venue: ScriptedVenue, _events: list[Any]) -> None:
        client.subscribe(A)
        await client.ready()
        venue.sockets[0].cut()
        await asyncio.sleep(60)
        assert client.states == {"private": "live"}

    events = run(story, fetch=fetch)
    failed = [value for name, value in events if name == "exception" and value.phase == "fetch_missed"]
    (failure,) = failed
    assert (failure.category.value, failure.action_text) == ("fatal", "continues without the missed updates")


@pytest.mark.parametrize("overflow", ["block", "drop_oldest", "latest"])
def test_a_slow_handler(overflow: str) -> None:
    """However slow the handler is, the connection stays; the overflow rule decides about the updates."""
    limits = StreamSettings(queue=5, overflow=overflow)  # type: ignore[arg-type]
    received: list[int] = []

    async def slow(update: Any) -> None:
        await asyncio.sleep(30)
        received.append(update["data"])

    async def story(client: StreamClient, venue: ScriptedVenue, events: list[Any]) -> None:
        client.on("update", slow)
        client.subscribe(A)
        await client.ready()
        for number in range(20):
            venue.sockets[0].deliver({"of": "a", "data": number})
        await asyncio.sleep(3600)
        assert len(venue.sockets) == 1
        assert not [name for name in names(events) if name == "exception"]

    run(story, limits=limits)
    assert received == {"block": list(range(20)), "drop_oldest": received, "latest": [19]}[overflow]
    assert received[-1] == 19
    assert len(received) <= {"block": 20, "drop_oldest": 6, "latest": 1}[overflow]


def test_the_policy_says_how_long_it_waits() -> None:
    """The policy's backoff applies, and the exception contains the delay."""

    async def story(client: StreamClient, venue: ScriptedVenue, events: list[Any]) -> None:
        client.subscribe(A)
        await client.ready()
        venue.sockets[0].cut()
        await asyncio.sleep(10)
        (failure,) = [value for name, value in events if name == "exception"]
        assert failure.wait_for == 3.0

    run(story, policy={"retry": {"backoff": {"initial": "3s", "max": "3s", "jitter": "none"}}})


def test_closing_while_everything_is_under_way() -> None:
    """Closed while it connects, logs in or waits, it leaves no task, and emits `close` once."""
    for moment in (0.0, 0.01, 0.05, 0.06, 5.0):

        async def story(
            client: StreamClient, _venue: ScriptedVenue, _events: list[Any], moment: float = moment
        ) -> None:
            client.subscribe(A)
            await asyncio.sleep(moment)

        events = run(story, refused=[ConnectionRefusedError()] if moment == 5.0 else [])
        assert names(events)[-1] == "close"
        assert names(events).count("close") == 1


def test_a_handler_that_never_returns_does_not_block_close() -> None:
    """`close` waits for handlers for a limited time."""

    async def story(client: StreamClient, venue: ScriptedVenue, _events: list[Any]) -> None:
        client.on("update", lambda _update: asyncio.sleep(1e9))
        client.subscribe(A)
        await client.ready()
        venue.sockets[0].deliver({"of": "a", "data": 1})
        await asyncio.sleep(1)

    run(story)


def test_clients_of_one_host_share_its_window_of_connects() -> None:
    """All clients of a host share one window, because a venue counts connections per address."""
    policies = Policies.builtin()
    windows = [connect_window(policies, StreamSettings().connects, host) for host in ("a", "a", "b")]
    assert windows[0] is windows[1]
    assert windows[0] is not windows[2]
    assert connect_window(Policies.builtin(), StreamSettings().connects, "a") is not windows[0]


def test_a_stream_that_a_call_starts_is_no_part_of_it() -> None:
    """It lives longer than the call: neither its connections nor its handlers inherit the call's deadline or key."""
    seen: list[Any] = []

    class WatchedVenue(ScriptedVenue):
        async def connect(self, url: str) -> ScriptedSocket:
            seen.append(("connect", current_call()))
            return await super().connect(url)

    async def whole() -> None:
        clock, venue = VirtualClock(asyncio.get_running_loop()), WatchedVenue()
        policies = Policies.from_mapping({"policies": {"s": {"extends": "bitget-ws"}}}, clock=clock)
        described = StreamVenue(
            dialect=PlainDialect(), urls={"private": "ws://venue.test/x"}, route=lambda _arg: "private",
            connect=venue.connect, private=frozenset({"private"}),
        )  # fmt: skip
        client = StreamClient(described, policy="s", policies=policies)
        client.on("update", lambda _update: seen.append(("update", current_call())))

        async def begin() -> None:
            assert current_call() is not None
            client.subscribe(A)
            await client.ready()
            venue.sockets[0].deliver({"of": "a", "row": 1})
            await asyncio.sleep(0.1)

        await policies.pipeline("s").acall(begin)
        await client.close()

    run_virtual(whole())
    assert {name for name, _ in seen} == {"connect", "update"}
    assert {call for _, call in seen} == {None}
