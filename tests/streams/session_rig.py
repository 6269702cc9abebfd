"""A small protocol, and a rig that runs a session with scripted frames on a clock that the test advances."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from typing import Any

from resilience import Policies
from resilience._core.call.operation_info import OperationInfo
from resilience.streams import Session, StreamSettings
from resilience.streams.session.connect_attempts import ConnectAttempts
from resilience.streams.session.connection import rate_window
from resilience.streams.session.dialect import Arg, Message, MessageKind
from resilience.streams.session.order_book import BookChange, Level
from resilience.streams.session.steps import Close, Emit, Open, Send, Step
from resilience.testing import FakeClock

LIMITS = StreamSettings(frames={"rate": "4/s", "burst": 4}, subscribes={"rate": "6/m", "burst": 6}, message_bytes=256)  # type: ignore[arg-type]


class PlainDialect:
    """A protocol with frames such as `{"op": "subscribe", "args": [{"of": "a"}]}`, `{"ack": "a"}` and `{"data": 5}`."""

    ping = "ping"

    def login(self, at: float) -> str:
        return json.dumps({"op": "login", "at": at})

    def subscribe(self, args: Sequence[Arg]) -> str:
        return json.dumps({"op": "subscribe", "args": [dict(one) for one in args]})

    def unsubscribe(self, args: Sequence[Arg]) -> str:
        return json.dumps({"op": "unsubscribe", "args": [dict(one) for one in args]})

    def id(self, arg: Arg) -> Hashable:
        return arg["of"]

    def read(self, frame: str | bytes) -> Message:
        body: Any = json.loads(frame)
        if frame == '"pong"':
            return Message(MessageKind.PONG)
        if "error" in body:
            return Message(MessageKind.ERROR, body, body.get("of"), body.get("op", ""), str(body["error"]))
        for op in ("ack", "left"):
            if op in body:
                return Message(MessageKind.ACK, body, body[op], "subscribe" if op == "ack" else "unsubscribe")
        if "login" in body:
            return Message(MessageKind.LOGIN, body)
        numbers = {"seq": body.get("seq"), "after": body.get("after"), "snapshot": body.get("whole", False)}
        return Message(MessageKind.DATA, body, body["of"], **numbers, book=book_of(body))


def book_of(body: Any) -> Sequence[BookChange]:
    """Return the changes of a body with `bids` and `asks`; the checksum is the levels in words."""
    if "bids" not in body:
        return ()
    bids, asks = ([tuple(level.split("x")) for level in body[side]] for side in ("bids", "asks"))
    words = body.get("sum")
    return [BookChange(bids, asks, None if words is None else hash(words), _in_words, 2)]


def _in_words(bids: Sequence[Level], asks: Sequence[Level]) -> int:
    return hash(" ".join("x".join(level) for level in (*bids, *asks)))


class SessionRig:
    """A session on a fake clock; records the steps that it returns, and asserts that they keep the limits.

    Attributes:
        sent: the frames that were sent, by connection.
        send_times: when they were sent, by connection.
        emitted: the events of the stream, as (name, value).
        open_times: when each connection was opened.
        open: numbers of the open connections.
        events: the events of the policies' listeners.
    """

    def __init__(self, *, private: bool = True, limits: StreamSettings = LIMITS, **policy: Any) -> None:
        self.clock = FakeClock()
        self.policies = Policies.from_mapping({"policies": {"s": {"extends": "bitget-ws", **policy}}}, clock=self.clock)
        self.events: list[Any] = []
        self.policies.subscribe(self.events.append)
        info = OperationInfo(operation="stream", read=True, host="h")
        self.attempts = ConnectAttempts(lambda: self.policies.pipeline("s").plan(print, info))
        self.limits = limits
        self.session = Session(
            "x", PlainDialect(), limits, self.attempts, rate_window(limits.connects), private=private, clock=self.clock
        )
        self.sent: dict[int, list[Any]] = {}
        self.send_times: dict[int, list[float]] = {}
        self.emitted: list[tuple[str, Any]] = []
        self.open_times: list[float] = []
        self.open: set[int] = set()

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def perform(self, steps: list[Step] | None) -> None:
        """Perform steps of the session."""
        for step in steps or ():
            if isinstance(step, Open):
                self.open_times.append(self.now)
                self.open.add(step.connection)
                self.sent[step.connection], self.send_times[step.connection] = [], []
            elif isinstance(step, Send):
                assert step.connection in self.open
                self.sent[step.connection].append(step.text if step.text == "ping" else json.loads(step.text))
                self.send_times[step.connection].append(self.now)
                assert len(step.text.encode()) <= max(self.limits.message_bytes, 60)
            elif isinstance(step, Close):
                self.open.discard(step.connection)
            elif isinstance(step, Emit):
                self.emitted.append((step.event, step.value))

    def subscribe(self, *names: str) -> None:
        self.perform(self.session.subscribe({one: {"of": one} for one in names}, self.now))

    def frame(self, connection: int, **body: Any) -> None:
        self.perform(self.session.frame_received(connection, json.dumps(body), self.now))

    def wait(self, seconds: float) -> None:
        """Advance the clock, calling `tick` whenever a timer is due."""
        end = self.now + seconds
        for _ in range(10_000):
            at = self.session.wake_at()
            if at > end:
                break
            self.clock.advance(max(0.0, at - self.now))
            self.perform(self.session.tick(self.now))
        else:
            raise AssertionError(f"the session spins at {self.now}: it wakes at {self.session.wake_at()}")
        self.clock.advance(max(0.0, end - self.now))

    def live(self, *names: str) -> int:
        """Subscribe, start and answer until everything is live; return the number of the connection."""
        self.subscribe(*names)
        self.perform(self.session.start(self.now))
        return self.bring_live(*names)

    def bring_live(self, *names: str) -> int:
        """Open the latest connection, log in and acknowledge these; return its number."""
        connection = max(self.sent)
        self.perform(self.session.connection_opened(connection, self.now))
        if self.session.private:
            self.frame(connection, login=1)
        for one in names:
            self.frame(connection, ack=one)
        return connection

    def names(self) -> list[str]:
        return [event for event, _ in self.emitted if event not in ("response", "update")]

    def failures(self) -> list[Any]:
        return [value for event, value in self.emitted if event == "exception"]
