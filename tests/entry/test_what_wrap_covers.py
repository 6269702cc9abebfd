"""Test which calls of a wrapped client are under its policy: whatever its class is made of."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, MagicMock, create_autospec
from xmlrpc.client import ServerProxy

import pytest
import requests

from resilience import Policies, PolicyError, wrap
from resilience.testing import FakeClock, recorded_events

QUICK = {"codes": ["http"], "retry": {"max_attempts": 3, "backoff": {"initial": "1ms", "max": "1ms"}}}
READS: dict[str, Any] = {"*": {"policy": "quick", "idempotent": True}}


def policies(**settings: Any) -> Policies:
    """Return policies with one that retries at once."""
    return Policies.from_mapping({"policies": {"quick": QUICK | settings}}, clock=FakeClock())


def covered(client: Any, **settings: Any) -> Any:
    """Wrap a client whose operations are all idempotent."""
    return wrap(client, "quick", operations=READS, policies=policies(**settings))


class Line:
    """A connection that fails before its first answer."""

    def __init__(self, failures: int = 1) -> None:
        self.failures = failures
        self.calls: list[Any] = []

    def ask(self, *question: Any) -> str:
        """Fail, or answer."""
        self.calls.append(question)
        if len(self.calls) <= self.failures:
            raise ConnectionRefusedError("down")
        return "fine"


class Method:
    """A callable object, as generated stubs have them."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.name = "GetPrice"

    def __call__(self, request: str, timeout: float | None = None) -> str:
        return self.line.ask(request, timeout)

    def with_call(self, request: str) -> str:
        return self.line.ask(request)


class AsyncMethod(Method):
    async def __call__(self, request: str, timeout: float | None = None) -> str:  # type: ignore[override]  # noqa: ASYNC109
        return self.line.ask(request, timeout)


class Orders:
    def __init__(self, line: Line) -> None:
        self._line = line

    def create(self, **order: Any) -> str:
        return self._line.ask(order)

    async def create_async(self, **order: Any) -> str:
        return self._line.ask(order)


class Futures:
    def __init__(self, line: Line) -> None:
        self.orders = Orders(line)

    @property
    def fresh(self) -> Orders:
        """A new object at each access."""
        return Orders(self.orders._line)


class Exchange:
    """A client with resources and stubs."""

    def __init__(self, failures: int = 1) -> None:
        self.line = Line(failures)
        self.futures = Futures(self.line)
        self.get_price = Method(self.line)
        self.get_price_async = AsyncMethod(self.line)
        self.by_name = partial(self.line.ask, "named")

    def __call__(self, question: str) -> str:
        return self.line.ask(question)


CALLS = {
    "a callable object": lambda client: client.get_price("BTC"),
    "a method of a callable object": lambda client: client.get_price.with_call("BTC"),
    "an async callable object": lambda client: asyncio.run(client.get_price_async("BTC")),
    "a partial": lambda client: client.by_name(),
    "a nested resource": lambda client: client.futures.orders.create(symbol="BTC"),
    "an async method of a nested resource": lambda client: asyncio.run(client.futures.orders.create_async()),
    "a resource that is made anew": lambda client: client.futures.fresh.create(),
    "the client itself": lambda client: client("BTC"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_retried(name: str) -> None:
    """The first attempt fails, the second gives the answer."""
    exchange = Exchange()
    assert CALLS[name](covered(exchange)) == "fine"
    assert len(exchange.line.calls) == 2


def test_an_operation_of_a_resource_is_named_by_its_path() -> None:
    """Events, globs and policies see the whole path."""
    own = {"futures.orders.*": {"policy": "once", "idempotent": True}}
    two = Policies.from_mapping({"policies": {"quick": QUICK, "once": {"codes": ["http"]}}}, clock=FakeClock())
    exchange = Exchange()
    client = wrap(exchange, "quick", operations=own, policies=two)
    with recorded_events(two) as events, pytest.raises(ConnectionRefusedError):
        client.futures.orders.create(symbol="BTC")
    assert {event.operation for event in events} == {"futures.orders.create"}
    assert len(exchange.line.calls) == 1


def test_a_resource_passes_for_itself() -> None:
    """Class, attributes, identity and assignments go to the client's own object."""
    exchange = Exchange()
    client = covered(exchange)
    assert isinstance(client.futures, Futures)
    assert client.futures is client.futures
    assert client.get_price.name == "GetPrice"
    client.futures.note = "mine"
    assert exchange.futures.note == "mine"  # type: ignore[attr-defined]
    exchange.futures = Futures(Line(failures=0))
    assert client.futures.orders.create() == "fine"


def test_a_client_that_makes_its_methods_on_demand() -> None:
    """Xmlrpc makes a method of any name; what is asked of it must not be a request."""
    client = covered(ServerProxy("http://127.0.0.1:9/"))
    for call in (partial(client.price, "BTC"), client.system.listMethods):
        with pytest.raises(ConnectionRefusedError) as caught:
            call()
        assert "after 3 attempts" in caught.value.__notes__[0]


# --- what is awaited or entered later ------------------------------------------------------------------


class Acquire:
    """Awaitable and async context manager in one, as pools of databases return it."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.exits: list[Any] = []

    def __await__(self) -> Any:
        async def connect() -> str:
            return self.line.ask("acquire")

        return connect().__await__()

    async def __aenter__(self) -> str:
        return await self

    async def __aexit__(self, *error: object) -> None:
        self.line.calls.append("exit")


class Pool:
    """A pool whose methods only make something."""

    def __init__(self, failures: int = 1) -> None:
        self.line = Line(failures)

    def acquire(self) -> Any:
        return Acquire(self.line)

    def fetch_later(self, what: str) -> Any:
        async def fetch() -> str:
            return self.line.ask(what)

        return asyncio.ensure_future(fetch())

    @contextlib.contextmanager
    def connection(self) -> Iterator[str]:
        yield self.line.ask("connection")

    @contextlib.asynccontextmanager
    async def connection_async(self) -> AsyncIterator[str]:
        yield self.line.ask("connection")

    def __await__(self) -> Any:
        async def connect() -> Pool:
            self.line.ask("connect")
            return self

        return connect().__await__()


@pytest.mark.parametrize("times", [1, 3])
def test_an_awaitable_is_awaited_under_the_policy(times: int) -> None:
    """The first call of the method shows what it makes; later ones are covered like the first."""

    async def story() -> None:
        for _ in range(times):
            pool.line.calls.clear()
            assert await client.acquire() == "fine"
            assert len(pool.line.calls) == 2

    pool = Pool()
    client = covered(pool)
    asyncio.run(story())


def test_a_context_manager_is_entered_under_the_policy() -> None:
    """By `with` and `async with`, from classes and generators; it is left as its maker wants it."""

    async def story() -> list[str]:
        entered = []
        for name in ("acquire", "connection_async", "acquire"):
            pool.line.calls.clear()
            async with getattr(client, name)() as connection:
                entered.append(connection)
        return entered

    pool = Pool()
    client = covered(pool)
    assert asyncio.run(story()) == ["fine"] * 3
    assert pool.line.calls[-1] == "exit"
    pool.line.calls.clear()
    with client.connection() as connection:
        assert connection == "fine"
    assert len(pool.line.calls) == 2


def test_a_started_task_stays_a_task() -> None:
    """A method that starts its work gives a future: it runs whether or not somebody awaits it, and can be gathered."""

    async def story() -> list[str]:
        one, other = client.fetch_later("a"), client.fetch_later("b")
        assert isinstance(one, asyncio.Future)
        results = await asyncio.gather(one, other)
        client.fetch_later("c")
        await asyncio.sleep(0.01)
        return results

    pool = Pool()
    client = covered(pool)
    assert asyncio.run(story()) == ["fine", "fine"]
    assert pool.line.calls[-1] == ("c",)


def test_an_awaited_client_connects_under_the_policy() -> None:
    """`await client` gives the wrapped client."""

    async def story() -> Any:
        return await client

    pool = Pool()
    client = covered(pool)
    assert asyncio.run(story()) is client
    assert len(pool.line.calls) == 2


# --- generators -------------------------------------------------------------------------------------------


class Paged:
    """A client whose lists come page by page."""

    def __init__(self) -> None:
        self.closed = 0
        self.fails_at = 3

    def pages(self, size: int) -> Iterator[int]:
        try:
            for number in range(size):
                if number == self.fails_at:
                    raise ConnectionRefusedError("down")
                yield number
        finally:
            self.closed += 1

    async def pages_async(self, size: int) -> AsyncIterator[int]:
        for page in self.pages(size):
            yield page

    def made_elsewhere(self, size: int) -> Any:
        return self.pages(size)


@pytest.mark.parametrize("name", ["pages", "pages_async", "made_elsewhere"])
def test_each_page_is_an_attempt(name: str) -> None:
    """Pages come as they are; a failed one counts and is explained, and is never asked for again."""

    async def collect(pages: Any) -> list[int]:
        return [page async for page in pages]

    paged = Paged()
    mine = policies(breaker={"consecutive": 1})
    client = wrap(paged, "quick", operations=READS, policies=mine)

    def read(size: int) -> list[int]:
        pages = getattr(client, name)(size)
        return asyncio.run(collect(pages)) if name == "pages_async" else list(pages)

    assert read(3) == [0, 1, 2]
    with pytest.raises(ConnectionRefusedError) as caught:
        read(5)
    assert "after 1 attempt" in caught.value.__notes__[0]
    with pytest.raises(Exception, match="open"):
        read(1)


def test_a_generator_that_is_left_early_is_closed() -> None:
    """The client's own generator ends with the loop that leaves it."""
    paged = Paged()
    pages = covered(paged).pages(3)
    assert next(pages) == 0
    pages.close()
    assert paged.closed == 1


# --- mocks ------------------------------------------------------------------------------------------------


class Plain:
    def price(self, symbol: str) -> str:
        return symbol


MOCKS = {
    "MagicMock": MagicMock,
    "create_autospec": lambda: create_autospec(Plain, instance=True),
    "MagicMock(spec=)": lambda: MagicMock(spec=Plain),
}


@pytest.mark.parametrize("name", MOCKS)
def test_a_mock_stands_for_a_client(name: str) -> None:
    """Its calls are retried, and it tells them as without a policy."""
    mock = MOCKS[name]()
    mock.price.side_effect = [ConnectionRefusedError("down"), "fine"]
    client = covered(mock)
    assert client.price("BTC") == "fine"
    assert mock.price.call_count == 2
    mock.price.assert_called_with("BTC")
    assert isinstance(client, Plain) == (name != "MagicMock")


def test_an_async_mock_stands_for_an_async_client() -> None:
    """So does `AsyncMock`; what a mock offers to its test is no operation."""
    mock = AsyncMock()
    mock.price.side_effect = [ConnectionRefusedError("down"), "fine"]
    client = covered(mock)
    assert asyncio.run(client.price("BTC")) == "fine"
    assert client.price.await_count == 2
    client.price.assert_awaited_with("BTC")
    with pytest.raises(AssertionError) as caught:
        client.price.assert_not_called()
    assert not hasattr(caught.value, "__notes__")


def test_the_proxy_of_a_mock_is_not_kept() -> None:
    """Each mock has a class of its own, which goes with it."""
    mock = MagicMock()
    alive = weakref.ref(type(mock))
    covered(mock)
    del mock
    for _ in range(2):  # a weak entry goes in the first round, what it kept in the second
        gc.collect()
    assert alive() is None


# --- what stays outside, and globs ------------------------------------------------------------------------


def test_what_stays_outside_is_named_once() -> None:
    """A session inside a client is not its operation: one warning names it. Data and private parts are not named."""
    client = SimpleNamespace(session=requests.Session(), _own=requests.Session(), limits={"a": 1}, name="x")
    with pytest.warns(UserWarning, match=r"calls of session \(requests.Session\) stay outside") as caught:
        covered(client)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("globs", "message"),
    [
        ({"get_prize": "quick"}, r"matches no method of Exchange; did you mean 'get_price'\?"),
        ({"future.*": "quick"}, r"matches no method of Exchange; did you mean 'futures'\?"),
        ({"zzz*": "quick"}, r"operations\['zzz\*'\] matches no method of Exchange$"),
        ({"get https://x.example/v1/price": "quick"}, r"write the method and the path, 'get /v1/price'"),
    ],
)
def test_a_glob_that_matches_nothing_is_refused(globs: dict[str, str], message: str) -> None:
    """Its options would never take effect."""
    with pytest.raises(TypeError, match=message):
        wrap(Exchange(), "quick", operations=globs, policies=policies())


@pytest.mark.parametrize("client", [Exchange(), requests.Session()], ids=["any client", "a session"])
@pytest.mark.parametrize(
    ("policy", "globs"), [("quik", {}), ("quick", {"get*": "quik"}), ("quick", {"get*": {"policy": "quik"}})]
)
def test_an_unknown_policy_is_refused_at_once(client: Any, policy: str, globs: dict[str, Any]) -> None:
    """Not at the first call, when money is at stake."""
    with pytest.raises(PolicyError, match="no policy 'quik'"):
        wrap(client, policy, operations=globs, policies=policies())


@pytest.mark.parametrize("source", ["python", "file"])
def test_a_method_in_capitals_matches(source: str) -> None:
    """`GET /v1/*` and `get /v1/*` are the same; the operation has the name in lower case."""
    rules = {"policies": {"quick": QUICK}}
    if source == "file":
        rules["operations"] = [{"match": "GET /v1/*", "policy": "quick"}]  # type: ignore[assignment]
    mine = Policies.from_mapping(rules, clock=FakeClock())
    client = mine.wrap(requests.Session(), "http", operations={"GET /v1/*": "quick"} if source == "python" else None)
    with recorded_events(mine) as events, pytest.raises(requests.ConnectionError):
        client.get("http://127.0.0.1:9/v1/price")
    assert {(event.policy, event.operation) for event in events} == {("quick", "get /v1/*")}
