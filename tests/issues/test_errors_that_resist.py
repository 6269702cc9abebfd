"""Errors in groups, errors that are pickled inside a running call, and errors whose attributes raise."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
import trio

from resilience import Policies, failure_of
from resilience.testing import FakeClock


def new_policies() -> Policies:
    """Return policies with three attempts."""
    retry = {"max_attempts": 3, "backoff": {"initial": 0}}
    return Policies.from_mapping({"policies": {"p": {"retry": retry, "deadline": "60s"}}}, clock=FakeClock())


async def in_asyncio(*tasks: Any) -> None:
    """Run tasks in a task group."""
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(task())


async def in_trio(*tasks: Any) -> None:
    """Run tasks in a nursery."""
    async with trio.open_nursery() as nursery:
        for task in tasks:
            nursery.start_soon(task)


@pytest.mark.parametrize(("run", "together"), [(lambda fn: asyncio.run(fn()), in_asyncio), (trio.run, in_trio)])
def test_retries_do_not_multiply_through_a_group(run: Any, together: Any) -> None:
    """Calls in a task group or a nursery that have given up are not retried by the call around the group."""
    made, sent = new_policies(), []

    @made.resilient("p")
    async def inner() -> None:
        sent.append(1)
        raise ConnectionRefusedError

    @made.resilient("p")
    async def outer() -> None:
        await together(inner)

    with pytest.raises(ExceptionGroup) as caught:
        run(outer)
    assert len(sent) == 3
    assert failure_of(caught.value).executed == "no"


def test_one_uncertain_call_makes_its_group_uncertain() -> None:
    """A rejected call in a group does not hide that another call of the group may have been executed."""
    policies = new_policies()

    @policies.resilient("p")
    def refused() -> None:
        raise ConnectionRefusedError

    @policies.resilient("p")
    def both() -> None:
        try:
            refused()
        except ConnectionRefusedError as error:
            raise ExceptionGroup("both", [error, TimeoutError()]) from None

    with pytest.raises(ExceptionGroup) as caught:
        both()
    assert failure_of(caught.value).executed == "maybe"


def test_an_error_is_pickled_inside_an_outer_call() -> None:
    """An error can be pickled while the outer call still runs, whatever is recorded with it."""
    policies = new_policies()
    copies: list[Any] = []

    @policies.resilient("p")
    def inner() -> None:
        raise ConnectionRefusedError("x")

    @policies.resilient("p")
    def outer() -> None:
        try:
            inner()
        except ConnectionRefusedError as error:
            copies.append(pickle.loads(pickle.dumps(error)))

    outer()
    assert failure_of(copies[0]).attempts == 3


class Closed(Exception):
    """An error whose attributes all raise."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Classless(Exception):
    """An error that reveals neither its class nor its cause."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError

    @property
    def __cause__(self) -> Any:  # type: ignore[override]
        raise RuntimeError


@pytest.mark.parametrize("kind", [Closed, Classless])
def test_an_error_that_refuses_to_be_read(kind: type[Exception]) -> None:
    """The caller gets the error that the function raised, not the one that reading it raised."""
    settings = {"retry": {"max_attempts": 2, "backoff": {"initial": 0}}, "breaker": {"consecutive": 1}}
    policies = Policies.from_mapping({"policies": {"p": settings}}, clock=FakeClock())
    sent = kind()

    def raising() -> None:
        raise sent

    caught: list[Exception] = []
    try:
        policies.pipeline("p").call(raising)
    except Exception as error:
        caught.append(error)
    assert caught[0] is sent
