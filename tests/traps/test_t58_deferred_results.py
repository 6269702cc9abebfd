"""A function returns work that is not done yet, and that counts as a success: the error comes outside the policy."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import aiohttp
import pybreaker
import pytest

from resilience import Pipeline, Policies, Policy, wrap
from resilience.testing import FakeClock

SETTINGS: dict[str, Any] = {"breaker": {"consecutive": 1}}


class Promise:
    """An awaitable of some library."""

    def __await__(self) -> Generator[None, None, int]:
        yield
        return 1


class Connecting:
    """A client that may be awaited to connect; it has many methods."""

    get = put = post = head = patch = delete = options = close = search = lambda self: None

    def __await__(self) -> Generator[None, None, int]:
        yield
        return 1


async def work() -> int:
    """Do the work."""
    return 1


async def each() -> AsyncIterator[int]:
    """Yield the results."""
    yield 1


@contextlib.contextmanager
def block() -> Iterator[int]:
    """Do the work when it is entered."""
    yield 1


@contextlib.asynccontextmanager
async def async_block() -> AsyncIterator[int]:
    """Do the work when it is entered."""
    yield 1


def test_naive() -> None:
    """Pybreaker counts a future that fails later as a success."""
    breaker = pybreaker.CircuitBreaker(fail_max=1)
    with ThreadPoolExecutor(1) as pool:
        future: Future[int] = breaker.call(pool.submit, int, "no number")
    assert isinstance(future.exception(), ValueError)
    assert breaker.current_state == "closed"
    assert breaker.fail_counter == 0


DEFERRED: dict[str, tuple[Callable[[], Any], str]] = {
    "future": (Future, "wait for it inside"),
    "coroutine": (work, "wrap it as an async function"),
    "async generator": (each, "for each item"),
    "context manager": (block, "inside the `with` block"),
    "async context manager": (async_block, "inside the `with` block"),
    "promise": (Promise, "wait for it inside"),
}


@pytest.mark.parametrize(("make", "remedy"), DEFERRED.values(), ids=DEFERRED)
def test_ours(make: Callable[[], Any], remedy: str) -> None:
    """It is a TypeError that names the function and what to do; no breaker counts it, and it is not repeated."""
    made: list[Any] = []

    def later() -> Any:
        made.append(make())
        return made[-1]

    pipeline = Pipeline(Policy(**SETTINGS, retry={"max_attempts": 3}), clock=FakeClock(), idempotent=True)
    with pytest.raises(TypeError, match=rf"later returned .*{remedy}"):
        pipeline.compile(later)()
    assert len(made) == 1
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "closed"


def test_inside_an_event_loop() -> None:
    """So are asyncio's futures and tasks, and a request of aiohttp that was not awaited."""

    async def run() -> list[str]:
        loop, texts = asyncio.get_running_loop(), []
        async with aiohttp.ClientSession() as session:
            task = loop.create_task(work())
            for make in (loop.create_future, lambda: task, lambda: session.get("http://127.0.0.1:1")):
                with pytest.raises(TypeError, match="returned a") as caught:
                    Pipeline(Policy(), operation="later").call(make)
                texts.append(str(caught.value).split(",")[0])
            await task
        return texts

    first, second, third = asyncio.run(run())
    assert (first, second) == ("later returned a Future", "later returned a Task")
    assert third.endswith("RequestContextManager")


def test_an_async_function_that_returns_a_future() -> None:
    """An async function is refused in the same way; `acall` awaits what a plain function returns."""

    async def submit() -> Future[int]:
        return Future()

    async def run() -> int:
        with pytest.raises(TypeError, match="returned a Future"):
            await Pipeline(Policy()).acall(submit)
        result: int = await Pipeline(Policy()).acall(lambda: asyncio.ensure_future(work()))
        return result

    assert asyncio.run(run()) == 1


def test_a_function_that_makes_a_context_manager() -> None:
    """It is refused when it is decorated."""
    with pytest.raises(TypeError, match=r"block\(\) makes a context manager"):
        Pipeline(Policy()).compile(block)


class Client:
    """A client of some library."""

    @contextlib.contextmanager
    def transaction(self) -> Iterator[int]:
        """Enter a transaction."""
        yield 1

    def fetch(self) -> Awaitable[int]:
        """Return an awaitable, as a decorated async method does."""
        return work()

    def submit(self) -> Future[int]:
        """Return a future."""
        return Future()


def test_a_wrapped_client() -> None:
    """A method that announces an awaitable is async; a context manager is the client's own; a future is refused."""
    client: Any = wrap(Client(), "default", policies=Policies.builtin())
    with client.transaction() as entered:
        assert entered == 1
    assert asyncio.run(client.fetch()) == 1
    with pytest.raises(TypeError, match="submit returned a Future"):
        client.submit()


@pytest.mark.parametrize("result", [{"a": 1}, Connecting(), io.StringIO(), iter([1]), contextlib.nullcontext()])
def test_results_that_are_done(result: Any) -> None:
    """Files, iterators, clients and other context managers are results."""
    assert Pipeline(Policy(**SETTINGS)).call(lambda: result) is result
    if hasattr(result, "close") and not isinstance(result, Connecting):
        result.close()
