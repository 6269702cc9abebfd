"""A class whose metaclass has no hash is no key of a dict, and `isinstance` may refuse it: no call fails by it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, ClassVar

import pytest

from resilience import ApiError, Found, Pipeline, Policies, Policy, failure_of, wrap
from resilience.cli import main
from resilience.outbox import Outbox
from resilience.testing import FakeClock


class Unhashable(type):
    """A metaclass that defines `__eq__` and no hash."""

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __eq__(cls, other: object) -> bool:
        return cls is other


class OddError(ConnectionRefusedError, metaclass=Unhashable):
    """An error of a class without a hash."""


class OddArgument(metaclass=Unhashable):
    """An argument of a class without a hash."""


class OddAnswer(dict[str, Any], metaclass=Unhashable):
    """An answer of a class without a hash."""


class OddAwaitable(metaclass=Unhashable):
    """An awaitable of a class without a hash."""

    def __await__(self) -> Any:
        yield


def new_pipeline() -> Pipeline:
    """Return a pipeline that makes three attempts at once."""
    return Pipeline(Policy(retry={"max_attempts": 3, "backoff": {"initial": 0}}))  # type: ignore[arg-type]


def test_an_error(driver: Any) -> None:
    """The caller gets the API's own error. Python itself cannot say what kind of error it is: it may have happened."""
    with pytest.raises(OddError) as caught:
        driver.call(new_pipeline().compile(driver.transport([OddError() for _ in range(3)])))
    assert failure_of(caught.value).executed == "maybe"
    assert failure_of(OddError()).executed == "maybe"


def test_an_argument(driver: Any) -> None:
    """A retry sends it again."""
    call = new_pipeline().compile(driver.transport([ConnectionRefusedError(), "sent"]))
    assert driver.call(call, OddArgument(), [OddArgument()]) == "sent"


@pytest.mark.parametrize("kind", [OddArgument, OddAnswer])
@pytest.mark.parametrize("failures", [0, 1])
@pytest.mark.parametrize("more", [{}, {"fallback": {"stale_for": 5}}, {"cache": {"max_age": 5}}])
def test_a_result(driver: Any, kind: type, failures: int, more: dict[str, Any]) -> None:
    """The caller gets what was returned, at once or by a retry: an order that was placed is no `TypeError`."""
    policy = Policy(retry={"max_attempts": 3, "backoff": {"initial": 0}}, **more)  # type: ignore[arg-type]
    result, left = kind(), [ConnectionRefusedError()] * failures

    def send() -> Any:
        if left:
            raise left.pop()
        return result

    assert driver.call(Pipeline(policy).compile(driver.function(send))) is result


def test_a_result_that_comes_later() -> None:
    """A sync pipeline says of it what it says of every other awaitable, and not that its class has no hash."""
    with pytest.raises(TypeError, match="its errors would come later"):
        new_pipeline().call(OddAwaitable)


def test_an_answer_that_is_an_error(driver: Any) -> None:
    """A dict of such a class is read like every other one."""
    send = driver.function(lambda: OddAnswer(code="40725", msg="busy"))
    with pytest.raises(ApiError, match="40725"):
        driver.call(Pipeline(Policy(codes=("bitget",))).compile(send))


def test_a_policy_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check of a file searches for its classes by name, among all that the program has."""
    file = tmp_path / "policies.yaml"
    file.write_text("policies: {a: {pass_through: [Stoppage]}}\n")
    main(["check", str(file)])
    assert "Stoppage" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [OddArgument, OddAnswer])
@pytest.mark.parametrize("is_lost", [False, True])
@pytest.mark.parametrize("is_recorded", [False, True])
def test_a_write(driver: Any, kind: type, is_lost: bool, is_recorded: bool, tmp_path: Path) -> None:
    """With a key, a lookup and an outbox: the order is sent once, and the caller gets it, answered or found."""
    order, sent = kind(), []
    if kind is OddAnswer:
        order["orderId"] = "1"

    def place_order(client_id: str) -> Any:
        sent.append(client_id)
        if is_lost:
            raise ConnectionResetError
        return order

    class Client:
        """A client whose order carries its key."""

        place = staticmethod(driver.function(place_order))

    outbox = Outbox(tmp_path / "orders.db") if is_recorded else None
    rules = {"place": {"key": "client_id", "reconcile": driver.function(lambda _call: Found(order))}}
    bot: Any = wrap(Client(), operations=rules, policies=Policies.builtin(clock=FakeClock()), outbox=outbox)
    assert driver.call(bot.place, client_id="mine") is order
    assert sent == ["mine"]
    if outbox is not None:
        assert not outbox.open
        outbox.close()


def test_a_function_that_returns_an_awaitable() -> None:
    """It is awaited by `acall`, and anything else is refused by its name."""

    async def main() -> None:
        await new_pipeline().acall(OddAwaitable)
        with pytest.raises(TypeError, match="returned OddArgument, which cannot be awaited"):
            await new_pipeline().acall(OddArgument)

    asyncio.run(main())
