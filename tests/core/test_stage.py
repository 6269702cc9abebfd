"""Tests of users' stages around one attempt, and of what a transport may read of it."""

from __future__ import annotations

import contextvars
from math import inf
from typing import Any

import pytest

from resilience import RejectedError, Stage, current_call
from resilience._core.call.context import CONTEXT, CallContext, clean_context
from resilience._core.call.send_log import SendLog
from resilience._core.call.stage import run_before, run_settle
from resilience.testing import FakeClock


class RecordingStage(Stage):
    """Records its calls, and raises this error if there is one."""

    def __init__(self, name: str, log: list[Any], refuses: bool = False, breaks: bool = False) -> None:
        self.name, self.log, self.refuses, self.breaks = name, log, refuses, breaks

    def before(self, call: Any) -> None:
        """Reject, or not."""
        self.log.append(("before", self.name))
        if self.refuses:
            raise RejectedError("paused")

    def settle(self, call: Any, error: BaseException | None) -> None:
        """Note the end, and break or not."""
        self.log.append(("settle", self.name, type(error)))
        if self.breaks:
            raise RuntimeError("no")


class Owner:
    """The operation that an attempt belongs to."""

    operation = "op"

    def __init__(self, clock: FakeClock, window: float | None = None, quotas: Any = None) -> None:
        self.clock, self.window, self.quotas = clock, window, quotas
        self.limits: dict[str, Any] = {}

    def report_limits(self, **limits: Any) -> None:
        """Record the reported limits."""
        self.limits = limits


def new_context(owner: Owner, deadline: float = inf, until: float = inf, stamps: SendLog | None = None) -> CallContext:
    """Return the context of a first attempt."""
    return CallContext(owner, deadline, until, "k", stamps)


@pytest.fixture
def enter() -> Any:
    """Enter the context of an attempt."""
    token = CONTEXT.set(list(new_context(Owner(FakeClock()))))
    yield
    CONTEXT.reset(token)


def test_stages_are_settled_in_reverse(enter: None) -> None:
    """Each stage that admitted the attempt is settled, also if another one raises."""
    log: list[Any] = []
    stages = [RecordingStage("a", log), RecordingStage("b", log, breaks=True), RecordingStage("c", log)]
    run_settle(*run_before(stages), None)  # type: ignore[arg-type]
    assert log == [("before", "a"), ("before", "b"), ("before", "c")] + [("settle", one, type(None)) for one in "cba"]


def test_a_rejection_settles_the_stages_before_it(enter: None) -> None:
    """The stages after it are not called."""
    log: list[Any] = []
    with pytest.raises(RejectedError):
        run_before([RecordingStage("a", log), RecordingStage("b", log, refuses=True), RecordingStage("c", log)])
    assert log == [("before", "a"), ("before", "b"), ("settle", "a", RejectedError)]


def test_current_call_in_a_transport() -> None:
    """Remaining times are never negative, and None without a limit."""
    clock = FakeClock()
    token = CONTEXT.set(list(new_context(Owner(clock, 9.0), clock.monotonic() + 5, clock.monotonic() + 2, SendLog())))
    call = current_call()
    assert call is not None
    assert (call.operation, call.attempt, call.key, call.timeout, call.deadline) == ("op", 1, "k", 2.0, 5.0)
    assert (call.now, call.window, call.has_quota) == (clock.time(), 9.0, False)
    call.stamp(3.0)
    assert call.record_stamp(4.0) is None
    assert call._context.stamps == [3.0, 4.0]
    call.report_limits(remaining=1)
    clock.advance(3)
    assert (call.timeout, call.deadline) == (0.0, 2.0)
    CONTEXT.reset(token)
    assert current_call() is None


def test_a_call_without_limits() -> None:
    """A call without limits has neither remaining times nor a list of stamps."""
    token = CONTEXT.set(list(new_context(Owner(FakeClock()))))
    call = current_call()
    assert call is not None
    call.stamp(3.0)
    assert call.record_stamp(4.0) is None
    assert (call.timeout, call.deadline, call.window) == (None, None, None)
    CONTEXT.reset(token)


def test_reported_limits_reach_the_quota() -> None:
    """Each limit is passed on by its name."""
    owner = Owner(FakeClock(), quotas=())
    token = CONTEXT.set(list(new_context(owner)))
    call = current_call()
    assert call is not None
    assert call.has_quota
    call.report_limits(remaining=1, resets_in=2, hold=3, limit=4, window=5, used=6)
    assert owner.limits == {"remaining": 1, "resets_in": 2, "hold": 3, "limit": 4, "window": 5, "used": 6}
    CONTEXT.reset(token)


def test_a_context_that_is_over() -> None:
    """What outlives its call sees no call, and what was read before stays readable."""
    context = list(new_context(Owner(FakeClock())))
    token = CONTEXT.set(context)
    call = current_call()
    context.clear()
    assert call is not None
    assert (call.operation, current_call()) == ("op", None)
    CONTEXT.reset(token)


def test_a_clean_context_has_no_call() -> None:
    """What lives longer than a call starts with the caller's other context variables, and is no part of the call."""
    token = CONTEXT.set(list(new_context(Owner(FakeClock()))))
    name = contextvars.ContextVar[str]("name")
    name.set("Ada")
    assert clean_context().run(lambda: (current_call(), name.get())) == (None, "Ada")
    assert current_call() is not None
    CONTEXT.reset(token)
