"""Which arguments an attempt uses up, where that is not seen from outside."""

from __future__ import annotations

import io
import socket
import urllib.request
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import requests

from resilience._core.call.one_shot_arguments import OneShotArguments


def send(*_args: Any) -> None:
    """Stand for a function with any arguments."""


def is_whole(*args: Any) -> bool:
    """Return whether a second attempt would find these arguments as the first one did."""
    return OneShotArguments(send, args, {}).rewind()


class Closing(io.BytesIO):
    """A file that says where it is, and cannot be rewound."""

    def seek(self, *_args: int) -> int:
        """Fail."""
        raise OSError("gone")


class AsyncFile:
    """A file of an async library."""

    async def read(self, size: int = -1) -> bytes:
        """Read."""
        return b""

    async def tell(self) -> int:
        """Return the position."""
        return 0


class Native:
    """A file whose `read` has no signature, as some written in C have none."""

    read = type("Read", (), {"__signature__": "none", "__call__": lambda self, size=-1: b""})()


class Sized:
    """An object whose `read` is a method with a name and no size."""

    def read(self, name: str, *, kind: str) -> bytes:
        """Read what has this name."""
        return b""


class Uploader:
    """An iterator with a method whose first parameter has another name."""

    def __next__(self) -> int:
        return 1

    def upload(this) -> None:  # noqa: N805  # the name is the point
        """Upload."""


async def items() -> AsyncIterator[int]:
    """Yield the items."""
    yield 1


def test_files() -> None:
    """A closed file, one that cannot be rewound and one of an async library are not whole."""
    closed = io.BytesIO(b"rows")
    closed.close()
    assert [is_whole(file) for file in (io.BytesIO(b"rows"), closed, Closing(b"rows"), AsyncFile())] == [
        True,
        False,
        False,
        False,
    ]


def test_objects_with_a_read() -> None:
    """A `read` that takes a number of bytes makes a file; what is not known is taken for one."""
    assert [is_whole(one) for one in (Native(), Sized(), object())] == [False, True, True]


def test_the_object_of_a_method() -> None:
    """A method's own object is not looked at, whatever its parameter is called; another argument is."""
    uploader = Uploader()
    assert OneShotArguments(Uploader.upload, (uploader,), {}).rewind()
    assert not is_whole(uploader)


def test_connections() -> None:
    """What is read and written like a connection is no body."""
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rwb", buffering=0) as channel:
        assert is_whole(channel)


def test_generators(recwarn: pytest.WarningsRecorder) -> None:
    """A generator that was not begun is whole; one of which something was taken is not."""
    numbers = (number for number in range(3))
    assert is_whole(numbers)
    next(numbers)
    assert not is_whole(numbers)
    later = items()
    with pytest.raises(StopIteration):
        later.asend(None).send(None)
    assert not is_whole(later)
    assert not recwarn


@dataclass
class Upload:
    """A request of a user's own."""

    body: Any


class Locked(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __getitem__(self, name: str) -> Any:
        """Fail."""
        raise OSError("locked")

    def __iter__(self) -> Iterator[str]:
        """Fail."""
        raise OSError("locked")

    def __len__(self) -> int:
        """Have an item."""
        return 1


HOLDERS: dict[str, Callable[[Any], Any]] = {
    "the files of requests, as a list": lambda body: [("field", ("name.txt", body, "text/plain"))],
    "mappings in mappings": lambda body: {"order": {"legs": {"rows": body}}},
    "a set": lambda body: {body},
    "a queue of Python": lambda body: deque([body]),
    "a dataclass": Upload,
    "a partial": lambda body: partial(send, body),
    "a bound method": lambda body: body.__next__,
    "a request of requests": lambda body: requests.Request("POST", "https://api.example.com", data=body),
    "a prepared one": lambda body: requests.Request("POST", "https://api.example.com", data=body).prepare(),
    "a request of urllib": lambda body: urllib.request.Request("https://api.example.com", data=body),
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_what_holds_an_argument_that_is_used_up(hold: Callable[[Any], Any]) -> None:
    """An iterator is found wherever a call would send it from; what can be sent again is left alone."""
    assert not is_whole(hold(iter([b"rows"])))
    if hold is not HOLDERS["a bound method"]:
        assert is_whole(hold(b"rows"))


def test_arguments_that_cannot_be_looked_into() -> None:
    """A list that contains itself and a mapping that raises end nothing."""
    own: list[Any] = [Locked()]
    own.append(own)
    assert is_whole(own, Locked())
    assert not is_whole(own, Locked(), iter([1]))
