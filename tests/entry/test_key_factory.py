"""Tests of `key_factory`, which makes the keys of a decorated function or of a wrapped client's methods."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Policies
from resilience.testing import FakeClock


def new_policies() -> Policies:
    """Return the policy `p`."""
    return Policies.from_mapping({"policies": {"p": {}}}, clock=FakeClock())


class Client:
    """Returns the key of each order."""

    def create(self, *, client_id: str = "") -> str:
        """Return the key."""
        return client_id


def test_a_decorated_function(driver: Any) -> None:
    """The factory makes one key per call; a key of the caller's own is used instead."""
    numbers = iter("123")
    policies = new_policies()
    create = driver.function(lambda *, client_id="": client_id)
    call = policies.resilient("p", key="client_id", key_factory=lambda: f"bot-{next(numbers)}")(create)
    assert driver.call(call) == "bot-1"
    assert driver.call(lambda: call(client_id="mine")) == "mine"
    assert driver.call(call) == "bot-2"


def test_a_wrapped_client() -> None:
    """`operations` takes the factory beside the key."""
    options = {"create": {"policy": "p", "key": "client_id", "key_factory": lambda: "bot-1"}}
    assert new_policies().wrap(Client(), "p", operations=options).create() == "bot-1"


@pytest.mark.parametrize("made", [None, "", 7, b"key"])
def test_a_factory_that_returns_no_string(made: Any) -> None:
    """The call raises an error that names the operation, before anything is sent."""
    sent: list[str] = []
    policies = new_policies()

    def create(*, client_id: str) -> None:
        sent.append(client_id)

    call: Any = policies.resilient("p", key="client_id", key_factory=lambda: made)(create)
    with pytest.raises(TypeError, match=r"create: key_factory must return a string that is not empty, got "):
        call()
    assert sent == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": "client_id", "key_factory": "uuid"}, "key_factory takes a function, (got|not) "),
        ({"key_factory": lambda: "x"}, "key_factory needs key=, the name of the parameter that carries the key"),
    ],
)
def test_mistakes_are_found_at_once(options: Any, message: str) -> None:
    """A factory that cannot work is refused where it is given, for functions and for clients."""
    policies = new_policies()
    with pytest.raises(TypeError, match=message):
        policies.resilient("p", **options)(Client().create)
    with pytest.raises(TypeError, match=message):
        policies.wrap(Client(), "p", operations={"create": options})


def test_reconcilers_that_cannot_answer() -> None:
    """One that does not take the call alone, and a class, are refused at decoration."""
    policies = new_policies()

    def two(call: Any, more: Any) -> None: ...

    for wrong, message in (
        (lambda: None, "reconcile is called with one argument, the call: <lambda>()"),
        (two, "called with one argument"),
        (dict, "got the class dict"),
    ):
        with pytest.raises(TypeError) as caught:
            policies.resilient("p", reconcile=wrong)(Client().create)
        assert message in str(caught.value)
    for fine in (lambda call: None, lambda *args: None, lambda call, more=1: None, Client().__eq__, max):
        assert callable(policies.resilient("p", reconcile=fine)(Client().create))
