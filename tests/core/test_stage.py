"""Tests of users' stages around one attempt, and of what a transport may read of it."""

from __future__ import annotations

import contextvars
from math import inf
from typing import Any

import pytest

from resilience import Policy, PolicyError, RejectedError, Stage, current_call
from resilience._core.call import stage_plugins
from resilience._core.call.context import CONTEXT, CallContext, exit_context
from resilience._core.call.stage import run_before, run_settle
from resilience.testing import FakeClock


class Noted(Stage):
    """Records its calls, and raises what it was made with."""

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
    """What an attempt is made for."""

    operation = "op"

    def __init__(self, clock: FakeClock, window: float | None = None, quotas: Any = None) -> None:
        self.clock, self.window, self.quotas = clock, window, quotas
        self.limits: dict[str, Any] = {}

    def report_limits(self, **limits: Any) -> None:
        """Note what the API says."""
        self.limits = limits


def place(owner: Owner, deadline: float = inf, until: float = inf, stamps: list[float] | None = None) -> CallContext:
    """Return the context of a first attempt."""
    return CallContext(owner, deadline, until, "k", stamps)


@pytest.fixture
def here() -> Any:
    """Enter the context of an attempt."""
    token = CONTEXT.set(tuple(place(Owner(FakeClock()))))
    yield
    exit_context(token)


def test_stages_are_settled_in_reverse_and_one_that_raises_hides_nothing(here: None) -> None:
    """Each stage that had let it pass is settled."""
    log: list[Any] = []
    stages = [Noted("a", log), Noted("b", log, breaks=True), Noted("c", log)]
    run_settle(*run_before(stages), None)  # type: ignore[arg-type]
    assert log == [("before", "a"), ("before", "b"), ("before", "c")] + [("settle", one, type(None)) for one in "cba"]


def test_when_one_rejects_those_before_it_are_settled(here: None) -> None:
    """And those after it are not called."""
    log: list[Any] = []
    with pytest.raises(RejectedError):
        run_before([Noted("a", log), Noted("b", log, refuses=True), Noted("c", log)])
    assert log == [("before", "a"), ("before", "b"), ("settle", "a", RejectedError)]


def test_what_a_transport_knows() -> None:
    """Times are what is left, never below nothing; None without a limit."""
    clock = FakeClock()
    token = CONTEXT.set(tuple(place(Owner(clock, 9.0), clock.monotonic() + 5, clock.monotonic() + 2, [])))
    call = current_call()
    assert call is not None
    assert (call.operation, call.attempt, call.key, call.timeout, call.deadline) == ("op", 1, "k", 2.0, 5.0)
    assert (call.now, call.window, call.has_quota) == (clock.time(), 9.0, False)
    call.stamp(3.0)
    assert call._context.stamps == [3.0]
    call.report_limits(remaining=1)
    clock.advance(3)
    assert (call.timeout, call.deadline) == (0.0, 2.0)
    exit_context(token)
    assert current_call() is None


def test_a_call_without_limits() -> None:
    """Neither a time nor a list of stamps."""
    token = CONTEXT.set(tuple(place(Owner(FakeClock()))))
    call = current_call()
    assert call is not None
    call.stamp(3.0)
    assert (call.timeout, call.deadline, call.window) == (None, None, None)
    exit_context(token)


def test_a_quota_learns_what_the_api_says() -> None:
    """All of it, by its name."""
    owner = Owner(FakeClock(), quotas=())
    token = CONTEXT.set(tuple(place(owner)))
    call = current_call()
    assert call is not None
    assert call.has_quota
    call.report_limits(remaining=1, resets_in=2, hold=3, limit=4, window=5, used=6)
    assert owner.limits == {"remaining": 1, "resets_in": 2, "hold": 3, "limit": 4, "window": 5, "used": 6}
    exit_context(token)


def test_a_context_of_somebody_else_is_left_alone() -> None:
    """An async generator that is finalised elsewhere has nothing to take back."""
    token = contextvars.copy_context().run(CONTEXT.set, tuple(place(Owner(FakeClock()))))
    exit_context(token)
    assert current_call() is None


def test_an_entry_point_that_is_no_stage_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it makes must be a `Stage`."""

    class Point:
        @staticmethod
        def load() -> type:
            return dict

    monkeypatch.setattr(stage_plugins, "_entry_points", lambda: {"odd": Point})
    with pytest.raises(PolicyError, match="policy 'p': stage 'odd' is a dict, not a Stage"):
        stage_plugins.stages_of(Policy(name="p", stages=("odd",)))
