"""A frozen dataclass as an exception raises when its attributes are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import FrozenInstanceError, dataclass
from typing import Any

import pytest

from resilience import CircuitOpenError, Pipeline, Policy, PolicyError
from resilience.errors import ResilienceError
from resilience.testing import FakeClock


@dataclass(frozen=True)
class Frozen(Exception):
    """An error of somebody's client."""

    code: str


@contextmanager
def around() -> Iterator[None]:
    """A context manager made of a generator."""
    yield


def test_naive() -> None:
    """Inside a context manager its traceback cannot be set, and the original error is lost."""
    with pytest.raises(FrozenInstanceError), around():
        raise Frozen("40010")


def test_ours_raises_it_unchanged(driver: Any) -> None:
    """The error is retried and at last raised: the same object."""
    error = Frozen("40010")
    transport = driver.transport([error, error])
    with pytest.raises(Frozen) as caught:
        driver.call(Pipeline(Policy(retry={"max_attempts": 2}), clock=FakeClock(), idempotent=True).compile(transport))
    assert caught.value is error
    assert len(transport.calls) == 2


def test_our_errors_are_plain_classes() -> None:
    """Attributes of the library's errors can be written."""
    for error in (CircuitOpenError("open"), PolicyError("bad"), ResilienceError("x")):
        with pytest.raises(type(error)), around():
            raise error
