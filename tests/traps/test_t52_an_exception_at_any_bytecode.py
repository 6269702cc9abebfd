"""Ctrl-C between two bytecodes: the context stays set, a slot is lost, and every later call is refused for good."""

from __future__ import annotations

import signal
import sys
from contextvars import ContextVar

import pytest

from benchmarks.interrupts import SCENARIOS, at_every_point, at_random

VAR: ContextVar[int | None] = ContextVar("var", default=None)


def test_naive() -> None:
    """A token is stored after the variable is set: an exception in between leaves it set."""

    class Interrupted(KeyboardInterrupt):
        pass

    def call() -> None:
        token = interrupted(VAR.set(1))
        try:
            pass
        finally:
            VAR.reset(token)  # type: ignore[arg-type]

    def interrupted(_token: object) -> object:
        raise Interrupted

    with pytest.raises(Interrupted):
        call()
    assert VAR.get() == 1
    VAR.set(None)


@pytest.mark.parametrize("name", SCENARIOS)
def test_ours(name: str) -> None:
    """Interrupted wherever CPython looks for signals, a call leaves neither context nor slot, permit, turn or key."""
    # Long scenarios are sampled by a step that is prime: every part of them is met.
    step = 1 if name in ("context", "slot", "trial") else 7
    interrupts, problems = at_every_point(SCENARIOS[name](), step=step)
    assert problems == []
    assert interrupts > 10


@pytest.mark.full
@pytest.mark.parametrize("name", SCENARIOS)
def test_ours_at_every_point(name: str) -> None:
    """Not one point is left out."""
    assert at_every_point(SCENARIOS[name]())[1] == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no timer that sends signals")
@pytest.mark.parametrize("name", ["all at once", "key, looked up"])
def test_ours_by_a_timer(name: str) -> None:
    """A real signal's handler raises at a random moment."""
    before = signal.getsignal(signal.SIGALRM)
    assert not at_random(SCENARIOS[name](), 50, seed=3)
    assert signal.getsignal(signal.SIGALRM) is before
