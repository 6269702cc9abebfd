"""Test that what a wrapped client hands out is under its policy, or is named once."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from resilience import Policies, wrap
from resilience.testing import FakeClock

QUICK = {"codes": ["http"], "retry": {"max_attempts": 3, "backoff": {"initial": "1ms", "max": "1ms"}}}


class Connection:
    """What a pool hands out."""

    async def execute(self, query: str) -> str:
        return query


@dataclass
class Row:
    """A record, with a method."""

    price: int

    def as_text(self) -> str:
        return str(self.price)


class Answer:
    """An answer with a method that asks nobody."""

    def to_dict(self) -> dict[str, int]:
        return {"price": 1}


class Cursor:
    """An iterator that asks for each item."""

    def __init__(self, items: int) -> None:
        self.items = iter(range(items))

    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> int:
        for item in self.items:
            return item
        raise StopAsyncIteration


class Listed(Cursor):
    """The first page when it is awaited, and all items when it is iterated over."""

    def __init__(self) -> None:
        super().__init__(3)

    def __await__(self) -> Any:
        return Client().connect_later("page").__await__()


class Order:
    """An object that talks by the client that it came from."""

    def __init__(self, client: Any) -> None:
        self.client = client


class Part:
    """A part of the client."""

    def __init__(self) -> None:
        self.asked = 0

    def ask(self) -> int:
        self.asked += 1
        if self.asked < 2:
            raise ConnectionRefusedError("down")
        return self.asked


class Client:
    """A client of every shape."""

    def __init__(self) -> None:
        self.parts = {"orders": Part()}

    def __getitem__(self, key: str) -> Any:
        return self.parts.get(key, key)

    def acquire(self) -> Any:
        return _Acquired()

    async def connect(self) -> Connection:
        return Connection()

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        yield Connection()

    @contextlib.asynccontextmanager
    async def connection_async(self) -> AsyncIterator[Connection]:
        yield Connection()

    def order(self) -> Order:
        return Order(self)

    def orders(self) -> list[Order]:
        return [Order(self)]

    def each_order(self) -> Iterator[Order]:
        yield Order(self)

    def cursor(self) -> Cursor:
        return Cursor(3)

    def listed(self) -> Listed:
        return Listed()

    def made_coroutine(self) -> Any:
        return self.connect_later("x")

    async def connect_later(self, text: str) -> str:
        self.tries = getattr(self, "tries", 0) + 1
        if self.tries < 2:
            raise ConnectionRefusedError("down")
        return text

    def row(self) -> Row:
        return Row(1)

    def answer(self) -> Answer:
        return Answer()

    def text(self) -> str:
        return "x"

    def response(self) -> requests.Response:
        return requests.Response()

    def nothing(self) -> None:
        return None

    def fluent(self) -> Client:
        return self

    async def fluent_async(self) -> Client:
        return self


class _Acquired:
    def __await__(self) -> Any:
        return Client().connect().__await__()

    async def __aenter__(self) -> Connection:
        return Connection()

    async def __aexit__(self, *_error: object) -> None:
        return None


def wrapped() -> Any:
    """Return a wrapped client."""
    policies = Policies.from_mapping({"policies": {"quick": QUICK}}, clock=FakeClock())
    return wrap(Client(), "quick", operations={"*": {"policy": "quick", "idempotent": True}}, policies=policies)


async def use(client: Any, how: str) -> Any:
    """Return what the client hands out in one way."""
    if how == "acquire":
        async with client.acquire() as connection:
            return connection
    if how == "await acquire":
        return await client.acquire()
    if how == "connection":
        with client.connection() as connection:
            return connection
    if how == "connection_async":
        async with client.connection_async() as connection:
            return connection
    if how == "each_order":
        return next(client.each_order())
    result = getattr(client, how)()
    return await result if asyncio.iscoroutine(result) else result


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("acquire", "acquire hands out .*Connection,"),
        ("await acquire", "acquire hands out .*Connection,"),
        ("connect", "connect hands out .*Connection,"),
        ("connection", "connection hands out .*Connection,"),
        ("connection_async", "connection_async hands out .*Connection,"),
        ("each_order", "each_order hands out .*Order,"),
        ("order", "order hands out .*Order,"),
        ("orders", "orders hands out .*Order,"),
        ("cursor", "cursor hands out .*Cursor,"),
    ],
)
def test_what_talks_is_named_once(how: str, named: str) -> None:
    """A connection, and an object that holds the client, are named at the first time that they are handed out."""
    client = wrapped()
    with pytest.warns(UserWarning, match=f"Client: {named} whose calls stay outside the policy; wrap it too") as seen:
        first = asyncio.run(use(client, how))
    assert len(seen) == 1
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = asyncio.run(use(client, how))
    assert type(first) is type(second)


@pytest.mark.parametrize("how", ["row", "answer", "text", "response", "nothing"])
def test_an_answer_is_not_named(how: str) -> None:
    """Records, values, answers of HTTP clients, and objects that hold nothing of the client do not talk."""
    client = wrapped()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with warnings.catch_warnings(record=True) as seen:
            asyncio.run(use(client, how))
    assert seen == []


@pytest.mark.parametrize("how", ["fluent", "fluent_async"])
def test_the_client_itself_comes_out_wrapped(how: str) -> None:
    """A method that ends with `return self` hands out the wrapped client, each time."""
    client = wrapped()
    for _ in range(3):
        assert asyncio.run(use(client, how)) is client


def test_a_part_for_a_key_is_under_the_policy() -> None:
    """`client["orders"]` is wrapped like `client.orders`, and anything else is the client's own."""
    client = wrapped()
    assert client["orders"].ask() == 2
    assert isinstance(client["orders"], Part)
    with pytest.warns(UserWarning, match="stays outside the policy: call a method instead") as seen:
        assert [client["text"], client["text"]] == ["text", "text"]
    assert len(seen) == 1
    with pytest.raises(TypeError):  # and is not hidden by a warning
        client[{}]


def test_warnings_as_errors_lose_no_result() -> None:
    """A program that makes warnings errors gets its connection all the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(asyncio.run(use(wrapped(), "connect")), Connection)


def test_a_method_that_was_replaced_stays_replaced() -> None:
    """The program may set an attribute while a first call is under way."""
    client = wrapped()
    method = client.text
    client.text = lambda: "mine"
    assert method() == "x"
    assert client.text() == "mine"


def test_a_method_keeps_no_proxy() -> None:
    """A wrapped client goes with its last reference, without the garbage collector."""
    gc.disable()
    try:
        client = wrapped()
        kept = weakref.ref(client)
        method = client.text
        assert (method(), client.text()) == ("x", "x")
        del client
        assert kept() is None
        assert method() == "x"
    finally:
        gc.enable()


def test_a_coroutine_stays_one() -> None:
    """What a method that is not async makes can be given to `asyncio.run` and `create_task`, and is tried again."""

    async def story(client: Any) -> str:
        return str(await asyncio.create_task(client.made_coroutine()))

    assert asyncio.run(wrapped().made_coroutine()) == "x"
    assert asyncio.run(story(wrapped())) == "x"


def test_what_can_be_awaited_and_iterated_over() -> None:
    """Each way of use is under the policy; items are counted and never retried."""

    async def story(client: Any) -> list[int]:
        return [item async for item in client.listed()]

    assert asyncio.run(story(wrapped())) == [0, 1, 2]
