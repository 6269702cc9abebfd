"""Wrong use that went unnoticed, or whose error came from another library."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import NOT_FOUND, Found, Pipeline, Policies, Policy, configure, resilient, wrap
from resilience.testing import FakeClock


def numbers() -> Iterator[int]:
    """A generator function."""
    yield 1


class Numbers:
    """An object whose call is a generator function."""

    def __call__(self) -> Iterator[int]:
        yield 1


async def looked(_call: Any) -> Any:
    """An async reconciler."""
    return NOT_FOUND


def test_generators_are_rejected_by_every_entry_point() -> None:
    """A generator would run outside the policy, so it is rejected; objects with a generator `__call__` are too."""
    for ways_in in (Pipeline(Policy()).call, Pipeline(Policy()).compile, resilient):
        for wrong in (numbers, Numbers()):
            with pytest.raises(TypeError, match="is a generator function"):
                ways_in(wrong)


def test_a_function_may_return_a_generator_of_its_own() -> None:
    """An ordinary function that returns a generator is accepted."""
    assert list(Pipeline(Policy()).call(lambda most: (number for number in range(most)), 2)) == [0, 1]


def test_acall_of_a_plain_function() -> None:
    """The error says what the function returned and which method to use."""
    with pytest.raises(TypeError, match="cannot be awaited: use call, not acall"):
        asyncio.run(Pipeline(Policy()).acall(lambda: 5))


@pytest.mark.parametrize("reconcile", [5, looked])
def test_a_reconciler_that_could_never_answer(reconcile: Any) -> None:
    """An async reconciler of a sync function is rejected at once, not retried until the deadline."""
    with pytest.raises(TypeError, match="reconcile"):
        resilient(reconcile=reconcile)(lambda: 1)
    with pytest.raises(TypeError, match="reconcile"):
        Pipeline(Policy(), reconcile=reconcile).compile(lambda: 1)


def test_a_plain_reconciler_of_an_async_function() -> None:
    """The answer of a sync reconciler counts; awaiting it does not fail."""
    policies = Policies.from_mapping({"policies": {"p": {"deadline": "60s", "reconcile": {}}}}, clock=FakeClock())

    @policies.resilient("p", reconcile=lambda call: Found("there"))
    async def place() -> str:
        raise TimeoutError

    assert asyncio.run(place()) == "there"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: resilient(key=5)(lambda **_: 1), "key names a parameter, got int"),  # type: ignore[call-overload]
        (lambda: resilient(policies=5), "policies takes Policies, not int"),  # type: ignore[call-overload]
        (lambda: wrap([], policies=5), "policies takes Policies, not int"),  # type: ignore[arg-type]
        (lambda: wrap([], operations=5), "operations takes a mapping of globs, not int"),  # type: ignore[arg-type]
        (lambda: wrap([], operations={5: "http"}), "takes globs of operation names, not int"),  # type: ignore[dict-item]
        (lambda: wrap([], operations={"a*": {"policy": 5}}), "policy takes a policy's name, not int"),
        (lambda: Policies.builtin().subscribe(5), "a listener is a plain function"),  # type: ignore[arg-type]
        (lambda: Policies.builtin().subscribe(looked), "a listener is a plain function"),
    ],
)
def test_odd_arguments(wrong: Any, message: str) -> None:
    """A wrong argument raises a clear TypeError where it is passed."""
    with pytest.raises(TypeError, match=message):
        wrong()


def test_an_empty_path() -> None:
    """An empty path is reported as empty, not as a directory."""
    with pytest.raises(Exception, match="the path is empty"):
        configure("")
