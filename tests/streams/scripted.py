"""A venue that speaks a small language of its own, and sessions that hear it at instants of the test's choosing."""

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
from resilience.streams.session.steps import Close, Emit, Open, Send, Step
from resilience.testing import FakeClock

LIMITS = StreamSettings(frames={"rate": "4/s", "burst": 4}, subscribes={"rate": "6/m", "burst": 6}, message_bytes=256)  # type: ignore[arg-type]


class Plain:
    """Frames such as `{"op": "subscribe", "args": [{"of": "a"}]}` and `{"ack": "a"}`, `{"data": 5, "of": "a"}`."""

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
        told = {"seq": body.get("seq"), "after": body.get("after"), "snapshot": body.get("whole", False)}
        return Message(MessageKind.DATA, body, body["of"], **told)


class Play:
    """A session on a clock that stands still unless told; what it asked for is kept, and refused to break the law."""

    def __init__(self, *, private: bool = True, limits: StreamSettings = LIMITS, **policy: Any) -> None:
        self.clock = FakeClock()
        self.policies = Policies.from_mapping({"policies": {"s": {"extends": "bitget-ws", **policy}}}, clock=self.clock)
        self.events: list[Any] = []
        self.policies.subscribe(self.events.append)
        info = OperationInfo(operation="stream", read=True, host="h")
        self.attempts = ConnectAttempts(lambda: self.policies.pipeline("s").plan(print, info))
        self.limits = limits
        self.session = Session(
            "x", Plain(), limits, self.attempts, rate_window(limits.connects), private=private, clock=self.clock
        )
        self.sent: dict[int, list[Any]] = {}
        self.stamps: dict[int, list[float]] = {}
        self.told: list[tuple[str, Any]] = []
        self.opened: list[float] = []
        self.open: set[int] = set()

    @property
    def now(self) -> float:
        return self.clock.monotonic()

    def take(self, steps: list[Step] | None) -> None:
        """Do what the session asks for."""
        for step in steps or ():
            if isinstance(step, Open):
                self.opened.append(self.now)
                self.open.add(step.connection)
                self.sent[step.connection], self.stamps[step.connection] = [], []
            elif isinstance(step, Send):
                assert step.connection in self.open
                self.sent[step.connection].append(step.text if step.text == "ping" else json.loads(step.text))
                self.stamps[step.connection].append(self.now)
                assert len(step.text.encode()) <= max(self.limits.message_bytes, 60)
            elif isinstance(step, Close):
                self.open.discard(step.connection)
            elif isinstance(step, Emit):
                self.told.append((step.event, step.value))

    def want(self, *names: str) -> None:
        self.take(self.session.subscribe({one: {"of": one} for one in names}, self.now))

    def frame(self, link: int, **body: Any) -> None:
        self.take(self.session.frame_received(link, json.dumps(body), self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass, ticking whenever the session wants to be woken."""
        end = self.now + seconds
        for _ in range(10_000):
            at = self.session.wake_at()
            if at > end:
                break
            self.clock.advance(max(0.0, at - self.now))
            self.take(self.session.tick(self.now))
        else:
            raise AssertionError(f"it spins at {self.now}: wakes at {self.session.wake_at()}")
        self.clock.advance(max(0.0, end - self.now))

    def live(self, *names: str) -> int:
        """Bring the session to where everything wanted is live; returns the number of the connection."""
        self.want(*names)
        self.take(self.session.start(self.now))
        return self.restore(*names)

    def restore(self, *names: str) -> int:
        """Open the connection that was made last, log in, and acknowledge."""
        link = max(self.sent)
        self.take(self.session.connection_opened(link, self.now))
        if self.session.private:
            self.frame(link, login=1)
        for one in names:
            self.frame(link, ack=one)
        return link

    def names(self) -> list[str]:
        return [event for event, _ in self.told if event not in ("response", "update")]

    def failures(self) -> list[Any]:
        return [value for event, value in self.told if event == "exception"]
