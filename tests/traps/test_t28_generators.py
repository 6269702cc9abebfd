"""A generator function is silently not retried: its body runs outside the call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
import tenacity

from resilience import Pipeline, Policy, resilient


def pages() -> Iterator[int]:
    """A generator that fails while it is iterated."""
    yield 1
    raise ConnectionRefusedError


async def apages() -> AsyncIterator[int]:
    """The same, async."""
    yield 1


def test_naive() -> None:
    """Tenacity wraps a generator silently, and its error is never retried."""
    with pytest.raises(ConnectionRefusedError):
        list(tenacity.retry(stop=tenacity.stop_after_attempt(3))(pages)())


@pytest.mark.parametrize("fn", [pages, apages])
@pytest.mark.parametrize(
    "decorate", [resilient, resilient(), Pipeline(Policy()).compile], ids=["bare", "called", "compile"]
)
def test_ours(fn: Callable[..., Any], decorate: Callable[..., Any]) -> None:
    """Decorating a generator raises an error that says why."""
    with pytest.raises(TypeError, match="generator function"):
        decorate(fn)
