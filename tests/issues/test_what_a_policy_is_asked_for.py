"""Breaker keys, globs and tables that some entry points ignored."""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import CircuitOpenError, Pipeline, Policies, Policy, configure, failure_of, resilient
from resilience.testing import FakeClock


def reach(host: str) -> str:
    """Fail if the host is the one that is down."""
    if host == "down":
        raise ConnectionRefusedError
    return host


def test_a_breaker_key_from_a_function_counts_in_call_too() -> None:
    """`call` and `acall` compute the breaker's key from the arguments of the function that is called."""
    pipeline = Pipeline(Policy(breaker={"consecutive": 1, "key": lambda host: host}), clock=FakeClock())  # type: ignore[arg-type]
    with pytest.raises(ConnectionRefusedError):
        pipeline.call(reach, "down")
    with pytest.raises(CircuitOpenError):
        pipeline.call(reach, "down")
    assert pipeline.call(reach, "up") == "up"


def test_a_compiled_async_function_stays_async() -> None:
    """It is a coroutine function also if a function computes the breaker's key."""

    async def answer(host: str) -> str:
        return host

    compiled = Pipeline(Policy(breaker={"key": lambda host: host})).compile(answer)  # type: ignore[arg-type]
    assert inspect.iscoroutinefunction(compiled)
    assert asyncio.run(compiled("up")) == "up"


def test_an_operation_that_names_no_policy() -> None:
    """A glob that only sets `idempotent` leaves the policy to `wrap`."""
    mapping = {
        "policies": {"p": {"retry": {"max_attempts": 2, "backoff": {"initial": 0}}}},
        "operations": [{"match": "fetch_*", "idempotent": True}],
    }
    policies = Policies.from_mapping(mapping, clock=FakeClock())
    attempts: list[int] = []

    class Client:
        def fetch_price(self) -> None:
            attempts.append(1)
            raise TimeoutError

    with pytest.raises(TimeoutError):
        policies.wrap(Client(), "p").fetch_price()
    assert len(attempts) == 2


@pytest.fixture
def restored() -> Iterator[None]:
    """Configure the built-in policies again afterwards."""
    yield
    configure(Policies.builtin())


@pytest.mark.usefixtures("restored")
def test_failure_of_uses_the_tables_of_the_file() -> None:
    """An error that no pipeline has seen is looked up in the registries of the configured file."""
    error = RuntimeError('{"code": "43012"}')
    assert failure_of(error).known is False
    configure({"codes": ["bitget", "http"], "policies": {"trade": {}}})
    assert failure_of(error).names == ("INSUFFICIENT_BALANCE",)


def test_attributes_of_a_function_survive() -> None:
    """Attributes set by other decorators survive: an abstract method stays abstract."""

    class Base(ABC):
        @resilient
        @abstractmethod
        def place(self) -> None:
            """Places an order."""

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]

    def marked() -> None:
        """Carries a mark."""

    marked.mark = "decorated"  # type: ignore[attr-defined]
    decorated: Any = resilient(marked)
    assert decorated.mark == "decorated"
