"""An error that is its own cause makes a walk along causes endless."""

from __future__ import annotations

import pytest

from resilience import Pipeline, Policy, failure_of


def naive_walk(error: BaseException, steps: int) -> int:
    """Walk along causes without a record of those seen, for at most `steps` steps."""
    seen = 0
    one: BaseException | None = error
    while one is not None and seen < steps:
        one, seen = one.__cause__, seen + 1
    return seen


def circular() -> Exception:
    """An error raised from itself."""
    error = RuntimeError("mine")
    error.__cause__ = error
    return error


def test_naive() -> None:
    """The loop is still walking after a thousand steps."""
    assert naive_walk(circular(), 1000) == 1000


def test_ours() -> None:
    """Classifying such an error ends, and so does a call that fails with it."""
    error = circular()
    with pytest.raises(RuntimeError):
        Pipeline(Policy()).call(lambda: (_ for _ in ()).throw(error))
    assert failure_of(error).executed == "maybe"
