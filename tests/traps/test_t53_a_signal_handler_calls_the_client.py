"""A signal handler that calls the wrapped client waits for a lock that the code it has interrupted holds."""

from __future__ import annotations

import dis
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

import resilience
from resilience import Policies, RejectedError
from resilience.testing import FakeClock

ROOT = Path(resilience.__file__).parent
WATCHED = tuple(str(ROOT / part) for part in ("_core/stages", "_core/base", "_core/classify/classifier", "_pipeline"))
PAUSES = ("CALL", "RESUME", "JUMP_BACKWARD", "PRECALL")
"""After these the interpreter looks for signals; `PRECALL` is part of the call in CPython 3.11."""


class Interrupt:
    """Calls a handler at the n-th place inside our state at which a signal handler may run."""

    def __init__(self, number: int, handler: Callable[[], object]) -> None:
        self.left = number
        self.handler = handler
        self.fired = False
        self.last: dict[FrameType, str] = {}
        self.bytecode: dict[CodeType, bytes] = {}

    def run(self, action: Callable[[], object]) -> bool:
        """Run an action; returns whether the handler was called in the middle of it."""
        before = sys.gettrace()
        sys.settrace(self.on_call)
        try:
            action()
        finally:
            sys.settrace(before)
            self.last.clear()
        return self.fired

    def on_call(self, frame: FrameType, _event: str, _arg: object) -> Any:
        if self.fired or not frame.f_code.co_filename.startswith(WATCHED):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self.on_opcode

    def on_opcode(self, frame: FrameType, event: str, _arg: object) -> Any:
        if event != "opcode" or self.fired:
            return self.on_opcode
        code = frame.f_code
        bytecode = self.bytecode.setdefault(code, code.co_code)
        before, self.last[frame] = self.last.get(frame, "RESUME"), dis.opname[bytecode[frame.f_lasti]]
        if before.startswith(PAUSES):
            self.left -= 1
            if self.left < 0:
                self.fired = True
                sys.settrace(None)
                self.handler()
        return self.on_opcode


def interrupt_everywhere(new_case: Callable[[], tuple[Any, Any, Any]], at_most: int) -> None:
    """Run a new case for places all over its action, so many at most: the action, the handler, and what must hold."""
    action, _, _ = new_case()
    counter = Interrupt(sys.maxsize, lambda: None)
    counter.run(action)
    places = sys.maxsize - counter.left
    assert places > at_most
    for number in range(0, places, places // at_most):
        action, handler, check = new_case()
        if Interrupt(number, handler).run(action):  # else this run was shorter: jitter and caches differ
            check()


@pytest.fixture(params=[pytest.param(50, id="some"), pytest.param(600, id="many", marks=pytest.mark.full)])
def at_most(request: pytest.FixtureRequest) -> Any:
    """Into how many places of the script a handler is put: the slow tests try many more."""
    return request.param


class Parts:
    """A policy with everything that takes a lock, and two operations under it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        policy = {
            "codes": ["http"],
            "breaker": {"consecutive": 2, "open_for": "10s"},
            "budget": {"ratio": 0.5, "floor": 5},
            "quota": [{"rate": "100/s", "burst": 100, "reserve": 0.1}],
            "admission": {"max_concurrent": 2, "max_queue": 3, "queue_timeout": "0s"},
            "retry": {"max_attempts": 2, "backoff": {"initial": "0.1s"}},
        }
        mapping = {"policies": {"p": policy}, "operations": [{"match": "cancel_all", "lane": "cancel"}]}
        self.policies = Policies.from_mapping(mapping, clock=self.clock)
        self.pipeline = self.policies.pipeline("p")
        self.sent = 0
        self.refused = 0
        self.broken = False
        self.place = self.policies.resilient("p", operation="place", idempotent=True)(self.send)
        self.cancel_all = self.policies.resilient("p", operation="cancel_all", idempotent=True)(self.send)

    def send(self) -> str:
        self.sent += 1
        if self.broken:
            raise ConnectionResetError
        return "fine"

    def try_to(self, call: Callable[[], object]) -> None:
        """Make a call; it may be rejected, and it may fail."""
        try:
            call()
        except RejectedError:
            self.refused += 1
        except ConnectionResetError:
            pass

    def script(self) -> None:
        """Use the state in all ways: successes, failures up to an open breaker, a failed and a good trial."""
        self.try_to(self.place)
        self.broken = True
        for _ in range(2):
            self.try_to(self.place)
        self.clock.advance(11)
        self.try_to(self.place)
        self.broken = False
        self.clock.advance(100)
        for _ in range(2):
            self.try_to(self.place)

    def is_idle(self) -> bool:
        """Whether nobody runs or waits, and no permit is out."""
        described = self.pipeline.describe()
        lanes = described["admission"]["lanes"].values()
        return not (any(lane["running"] or lane["waiting"] for lane in lanes) or described["breaker"]["trials"])

    def works_again(self) -> bool:
        """Whether a call succeeds once every open time is over, and closes the breaker."""
        self.broken = False
        self.clock.advance(1000)
        return [self.place(), self.place()] == ["fine", "fine"] and self.pipeline.breaker.state == "closed"  # type: ignore[union-attr]


def test_naive() -> None:
    """An ordinary lock that its own thread holds is never free for the handler."""
    lock = threading.Lock()
    with lock:
        assert not lock.acquire(timeout=0.01)


def test_a_handler_that_calls_the_client_returns(at_most: int) -> None:
    """Wherever it interrupts, its call is sent or rejected, and neither call leaves anything behind."""

    def new_case() -> tuple[Any, Any, Any]:
        parts = Parts()

        def check() -> None:
            assert parts.is_idle()
            assert parts.works_again()

        return parts.script, lambda: parts.try_to(parts.cancel_all), check

    interrupt_everywhere(new_case, at_most)


@pytest.mark.slow
@pytest.mark.parametrize("by_hand", ["isolate", "open"])
def test_a_handler_that_switches_the_breaker_is_obeyed_at_once(by_hand: str, at_most: int) -> None:
    """The next call of the handler is rejected already; an isolated breaker stays so until it is closed."""

    def new_case() -> tuple[Any, Any, Any]:
        parts = Parts()
        breaker: Any = parts.pipeline.breaker

        def switch() -> None:
            getattr(breaker, by_hand)()
            sent, refused = parts.sent, parts.refused
            parts.try_to(parts.cancel_all)
            assert (parts.sent, parts.refused) == (sent, refused + 1)
            parts.clock.advance(0.001)

        def check() -> None:
            if by_hand == "isolate":
                assert breaker.describe()["isolated"]
                sent = parts.sent
                parts.clock.advance(1000)
                parts.try_to(parts.place)
                assert parts.sent == sent
                breaker.close()
            assert parts.is_idle()
            assert parts.works_again()

        return parts.script, switch, check

    interrupt_everywhere(new_case, at_most)


@pytest.mark.slow
def test_a_handler_that_closes_the_breaker_is_obeyed(at_most: int) -> None:
    """Its own next call is sent, whatever state the interrupted code was changing."""

    def new_case() -> tuple[Any, Any, Any]:
        parts = Parts()

        def close() -> None:
            parts.pipeline.breaker.close()  # type: ignore[union-attr]
            sent = parts.sent
            parts.try_to(parts.cancel_all)
            assert parts.sent > sent

        def check() -> None:
            assert parts.is_idle()
            assert parts.works_again()

        return parts.script, close, check

    interrupt_everywhere(new_case, at_most)


@pytest.mark.slow
def test_a_handler_that_lifts_holds_or_asks_for_the_state_returns(at_most: int) -> None:
    """`release` and `describe` wait for nothing, and a listener that comes meanwhile is told of the next change."""

    def new_case() -> tuple[Any, Any, Any]:
        parts = Parts()
        received: list[str] = []

        def ask() -> None:
            parts.policies.release("p")
            parts.pipeline.describe()
            parts.policies.subscribe(lambda event: received.append(event.name))

        def check() -> None:
            assert parts.is_idle()
            parts.broken = True
            for _ in range(2):
                parts.try_to(parts.place)
            assert received
            assert parts.works_again()

        return parts.script, ask, check

    interrupt_everywhere(new_case, at_most)
