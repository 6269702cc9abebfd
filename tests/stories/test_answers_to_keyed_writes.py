"""Tests of the answers to keyed writes of one's own functions: one that is not this write's is looked up."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import NOT_FOUND, ApiError, Found, Policies, failure_of
from resilience.testing import FakeClock

POLICIES: dict[str, Any] = {"policies": {"p": {"codes": ["http"], "reconcile": {"wait": "1s", "fence": "5s"}}}}
FOREIGN: list[Any] = [
    {},
    "",
    b"",
    {"id": None},
    {"orderId": "", "status": "new"},
    {"id": "7", "clientOid": "other"},
    {"id": "7", "client_id": "other"},
    {"id": "7", "key": "other"},
    {"code": "00000", "data": {"orderId": "7", "clientOid": "other"}},
    {"result": {"orderId": None}},
]
OURS: list[Any] = [
    None,
    0,
    [],
    {"id": "7"},
    {"id": None, "orderId": "7"},
    {"id": "7", "clientOid": "mine"},
    {"id": "7", "clientOid": None},
    {"id": "7", "clientOid": "mine", "key": "of something else"},
    {"status": "accepted"},
    {"data": {"orderId": "7"}},
]


def order(driver: Any, answer: Any, found: Any, **options: Any) -> tuple[Any, list[str]]:
    """Return the result of an order with the key `mine`, and the keys that were looked up."""
    looked_up: list[str] = []

    def reconcile(call: Any) -> Any:
        looked_up.append(call.key)
        return found

    def create(*, client_id: str) -> Any:
        return answer

    policies = Policies.from_mapping(POLICIES, clock=FakeClock())
    options = {"key": "client_id", "reconcile": driver.function(reconcile), **options}
    call = policies.resilient("p", **options)(driver.function(create))
    try:
        return driver.call(lambda: call(client_id="mine")), looked_up
    except Exception as error:
        return error, looked_up


@pytest.mark.parametrize("answer", FOREIGN, ids=repr)
def test_an_answer_that_proves_nothing(driver: Any, answer: Any) -> None:
    """It leaves the write open: the lookup says what became of it."""
    assert order(driver, answer, Found({"id": "9"})) == ({"id": "9"}, ["mine"])


@pytest.mark.parametrize("answer", OURS, ids=repr)
def test_an_answer_of_this_write(driver: Any, answer: Any) -> None:
    """It is returned as it is, and nothing is looked up."""
    assert order(driver, answer, NOT_FOUND) == (answer, [])


def test_an_answer_that_nothing_settles(driver: Any) -> None:
    """While the lookup cannot say, the outcome is unknown, and the caller gets the answer's body."""
    error, _ = order(driver, {"id": ""}, Found({"id": "9"}, matches=False))
    assert isinstance(error, ApiError)
    assert (error.code, error.body) == ("decode_error", {"id": ""})
    failure = failure_of(error)
    assert (failure.code, failure.executed, failure.key) == ("decode_error", "maybe", "mine")


@pytest.mark.parametrize("options", [{"key": None}, {"reconcile": None}, {"idempotent": True}])
def test_other_operations_are_not_checked(driver: Any, options: Any) -> None:
    """Without a key and a lookup nothing could be settled, and an idempotent write needs no proof."""
    assert order(driver, {"id": None}, NOT_FOUND, **options) == ({"id": None}, [])


def test_a_client_of_ones_own(driver: Any) -> None:
    """The methods of a wrapped client are checked like functions."""

    class Client:
        create = staticmethod(driver.function(lambda *, client_id: {"id": None}))

    reconcile = driver.function(lambda call: Found("found"))
    policies = Policies.from_mapping(POLICIES, clock=FakeClock())
    client = policies.wrap(Client(), "p", operations={"create": {"key": "client_id", "reconcile": reconcile}})
    assert driver.call(lambda: client.create(client_id="mine")) == "found"
