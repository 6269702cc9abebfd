"""A file, an iterator or a generator is used up by the first attempt: the second one uploads nothing and succeeds."""

from __future__ import annotations

import io
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tenacity import Retrying, stop_after_attempt

from resilience import NOT_FOUND, Pipeline, Policies, Policy, wrap
from resilience.testing import FakeClock
from tests.conftest import Driver, ScriptedApi

WHOLE = [1, 2, 3]
SETTINGS: dict[str, Any] = {"retry": {"max_attempts": 3}}


class Body:
    """A body that is read like a file and has no position."""

    def __init__(self) -> None:
        self.left = list(WHOLE)

    def read(self, size: int = -1) -> list[int]:
        """Return what is left."""
        taken, self.left = self.left, []
        return taken


class Numbers:
    """An iterator of the user's own."""

    def __init__(self) -> None:
        self.left = list(WHOLE)

    def __iter__(self) -> Numbers:
        return self

    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)


class Store:
    """Stands for an SDK that uploads rows; its first tries fail, before or after it has read them."""

    def __init__(self, fails: int = 1, *, reads_first: bool = True) -> None:
        self.fails, self.reads_first = fails, reads_first
        self.kept: Any = None
        self.tries = 0

    def upload(self, rows: Any) -> str:
        """Upload the rows."""
        self.tries += 1
        if self.tries <= self.fails and not self.reads_first:
            raise ConnectionRefusedError
        kept = rows.read() if hasattr(rows, "read") else list(rows)
        if self.tries <= self.fails:
            raise ConnectionRefusedError
        self.kept = kept
        return "uploaded"


def generator() -> Iterator[int]:
    """Yield the rows."""
    yield from WHOLE


def opened() -> Any:
    """Return a named temporary file that has the rows."""
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115  # the test ends with it
    file.write(b"rows")
    file.seek(0)
    return file


ONE_SHOT: dict[str, Callable[[], Any]] = {
    "iterator": lambda: iter(WHOLE),
    "generator": generator,
    "zip": lambda: zip(WHOLE, WHOLE, strict=True),
    "map": lambda: map(str, WHOLE),
    "own iterator": Numbers,
    "file": lambda: io.BytesIO(b"rows"),
    "temporary file": opened,
    "own file": Body,
}


def test_naive() -> None:
    """Tenacity calls the function again with what is left, and reports success."""
    store, rows = Store(), iter(WHOLE)
    assert Retrying(stop=stop_after_attempt(2))(store.upload, rows) == "uploaded"
    assert store.kept == []


@pytest.mark.parametrize("make", ONE_SHOT.values(), ids=ONE_SHOT)
def test_ours(driver: Driver, make: Callable[[], Any]) -> None:
    """The attempt that has used it up is the last one."""
    store, pipeline = Store(), Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True)
    rows = make()
    with pytest.raises(ConnectionRefusedError):
        driver.call(pipeline.compile(driver.function(store.upload)), rows)
    assert store.tries == 1
    if hasattr(rows, "close"):
        rows.close()


@pytest.mark.parametrize("make", ONE_SHOT.values(), ids=ONE_SHOT)
def test_a_wrapped_client(make: Callable[[], Any]) -> None:
    """The method of a wrapped client does the same, by keyword too."""
    store = Store()
    rules = {"upload": {"policy": "p", "idempotent": True}}
    policies = Policies.from_mapping({"policies": {"p": SETTINGS}}, clock=FakeClock())
    rows = make()
    with pytest.raises(ConnectionRefusedError):
        wrap(store, "p", operations=rules, policies=policies).upload(rows=rows)
    assert store.tries == 1
    if hasattr(rows, "close"):
        rows.close()


@pytest.mark.parametrize("make", [generator, lambda: io.BytesIO(b"rows"), lambda: WHOLE, {"a": 1}.keys])
def test_an_argument_that_is_still_whole(driver: Driver, make: Callable[[], Any]) -> None:
    """What has not been read, or can be read again, is sent again."""
    store = Store(2, reads_first=False)
    pipeline = Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True)
    assert driver.call(pipeline.compile(driver.function(store.upload)), make()) == "uploaded"
    assert store.tries == 3
    assert list(store.kept)


def test_a_file_is_rewound() -> None:
    """A file that was at its beginning is read whole by a later attempt, although one in between has read it."""
    store = Store(2, reads_first=False)

    def upload(rows: Any) -> Any:
        store.reads_first = store.tries == 1  # the second try fails after it has read the file
        return store.upload(rows)

    assert Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True).call(upload, io.BytesIO(b"rows"))
    assert (store.kept, store.tries) == (b"rows", 3)


def test_a_file_in_the_middle() -> None:
    """A file that the caller had read in part is sent once: nobody knows where its body begins."""
    rows, store = io.BytesIO(b"header rows"), Store(reads_first=False)
    rows.seek(7)
    with pytest.raises(ConnectionRefusedError):
        Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True).call(store.upload, rows)
    assert store.tries == 1


@pytest.mark.parametrize("arguments", [{"files": [Body()]}, {"form": {"a": Body()}}, {"form": [("a", Body())]}])
def test_inside_a_form(arguments: dict[str, Any]) -> None:
    """Lists and mappings among the arguments are looked into."""
    tries: list[int] = []

    def send(**_arguments: Any) -> None:
        tries.append(1)
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True).call(send, **arguments)
    assert tries == [1]


class Cursor:
    """A cursor of a database: an iterator, but what is executed on it does not use it up."""

    def execute(self, statement: str) -> None:
        """Execute a statement."""

    def __next__(self) -> int:
        return 1


class Reader:
    """An object whose own method is decorated, and which is an iterator or a file besides."""

    tries = 0

    def __next__(self) -> int:
        return 1

    def read(self, size: int = -1) -> int:
        """Fail."""
        self.tries += 1
        raise ConnectionRefusedError


class Request:
    """A request of an HTTP client: its `read` takes no size."""

    def read(self) -> bytes:
        """Return the body."""
        return b""


@pytest.mark.parametrize("argument", [Cursor(), Request(), {"a": [1]}, "text", open, Path()])
def test_other_arguments(argument: Any) -> None:
    """Cursors, requests and plain values are no bodies: the call is retried."""
    tries: list[int] = []

    def use(_argument: Any) -> None:
        tries.append(1)
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True).call(use, argument)
    assert len(tries) == 3


def test_the_object_of_a_method() -> None:
    """A method's own object is no argument that it uses up."""
    reader = Reader()
    read = Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True).compile(Reader.read)
    with pytest.raises(ConnectionRefusedError):
        read(reader)
    assert reader.tries == 3


def test_an_async_generator() -> None:
    """An async generator that was begun is used up too."""
    tries: list[int] = []

    async def rows() -> AsyncIterator[int]:
        yield 1

    async def upload(rows: AsyncIterator[int]) -> None:
        tries.append(1)
        await anext(rows)
        raise ConnectionRefusedError

    driver = Driver("asyncio")
    with pytest.raises(ConnectionRefusedError):
        driver.call(Pipeline(Policy(**SETTINGS), clock=FakeClock(), idempotent=True).compile(upload), rows())
    assert tries == [1]


def test_a_write_is_looked_up_all_the_same() -> None:
    """A write that used its argument up is looked up; if it did not happen, it is not sent again."""
    sent: list[Any] = []

    def order(rows: Iterator[int], *, key: str | None = None) -> None:
        sent.append(list(rows))
        raise TimeoutError

    pipeline = Pipeline(Policy(**SETTINGS), clock=FakeClock(), key="key", reconcile=lambda _: NOT_FOUND)
    with pytest.raises(TimeoutError):
        pipeline.call(order, iter(WHOLE))
    assert sent == [WHOLE]


def test_parameters_of_a_request(api: ScriptedApi) -> None:
    """A wrapped session does not send a request without the parameters that its first attempt has used up."""
    api.on("/", (503, {}), {})
    policies = Policies.from_mapping({"policies": {"p": {**SETTINGS, "codes": ["http"]}}}, clock=FakeClock())
    with wrap(requests.Session(), "p", policies=policies) as session:
        assert session.get(f"{api.rest}/", params=zip(["a"], ["1"], strict=True)).status_code == 503
    assert len(api.seen) == 1
