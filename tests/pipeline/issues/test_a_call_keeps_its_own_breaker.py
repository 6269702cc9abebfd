"""A call has the breaker of its key, whatever other calls and policies do before its first attempt."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest

from resilience import CircuitOpenError, Pipeline, Policy
from resilience._core.call.operation_info import OperationInfo
from resilience.testing import FakeClock


@types.coroutine
def turn() -> Generator[None, None, None]:
    """Wait for ever in a coroutine that nobody awaits any more."""
    yield


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_abandoned_coroutine_is_collected_as_another_call_begins() -> None:
    """An order is rejected by its open breaker, although a call of the same function ends while its key is made."""
    rules: Any = {"consecutive": 1, "open_for": "5s", "key": lambda symbol, **_: symbol}
    pipeline = Pipeline(Policy(name="p", breaker=rules), clock=FakeClock(), log=False)
    sent: list[str] = []

    def make_key() -> str:
        gc.collect()
        return f"key-{len(sent)}"

    async def order(symbol: str, oid: str | None = None) -> None:
        if symbol == "slow":
            await turn()
        sent.append(symbol)
        raise ConnectionRefusedError

    def abandon() -> None:
        coroutine: Any = call("slow")
        coroutine.send(None)
        cycle: list[Any] = [coroutine]
        cycle.append(cycle)

    pipeline.shared.make_key = make_key
    call = pipeline.compile(order, OperationInfo(operation="order", key="oid"))
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(call("down"))
    gc.disable()
    try:
        abandon()
        with pytest.raises(CircuitOpenError):
            asyncio.run(call("down"))
    finally:
        gc.enable()
    assert sent == ["down"]


@dataclass
class Symbol:
    """Returns keys, and has no hash, as it can be compared."""

    number: int

    def __call__(self, symbol: str) -> str:
        return symbol


def test_a_function_without_a_hash_returns_the_keys() -> None:
    """Two policies have one name and an object each that returns keys: calls go through, each by its own breaker."""
    first, second = (
        Policy(name="p", breaker={"consecutive": 1, "open_for": "5s", "key": Symbol(number)})  # type: ignore[arg-type]
        for number in range(2)
    )
    pipeline = Pipeline(first, clock=FakeClock(), log=False)
    answers: list[type[Exception]] = [ConnectionRefusedError]

    def price(symbol: str) -> str:
        if answers:
            raise answers.pop()
        return symbol

    calls = [one.compile(price) for one in (pipeline, Pipeline(second, shared=pipeline.shared))]
    with pytest.raises(ConnectionRefusedError):
        calls[0]("a")
    for _ in range(3):
        assert calls[1]("a") == "a"
        with pytest.raises(CircuitOpenError):
            calls[0]("a")


def test_policies_that_are_made_again_leave_no_breakers() -> None:
    """A program makes its policy anew, with a new function for its keys, and each time a service is down."""
    pipeline = Pipeline(Policy(name="p"), clock=FakeClock(), log=False)

    def fail(_symbol: str) -> None:
        raise ConnectionRefusedError

    for _ in range(10):
        rules: Any = {"consecutive": 1, "open_for": "5s", "key": lambda symbol: symbol}
        call = Pipeline(Policy(name="p", breaker=rules), shared=pipeline.shared).compile(fail)
        for expected in (ConnectionRefusedError, CircuitOpenError):
            with pytest.raises(expected):
                call("down")
    gc.collect()
    assert len(pipeline.shared.breakers.all("p")) <= 2
