"""An error that is its own cause keeps a walk along causes busy for ever."""

from __future__ import annotations

import pytest

from resilience import Pipeline, Policy, failure_of


def naive_walk(error: BaseException, steps: int) -> int:
    """Walk the causes as a loop without a memory does; `steps` ends what would never end."""
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
    """Classifying and failing with it end."""
    error = circular()
    with pytest.raises(RuntimeError):
        Pipeline(Policy()).call(lambda: (_ for _ in ()).throw(error))
    assert failure_of(error).executed == "maybe"
