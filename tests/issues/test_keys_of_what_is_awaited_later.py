"""An order that a method only makes, and the caller awaits, was sent without its key from the second one on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from resilience import Policy, wrap

OPERATIONS = {"place*": {"key": "key"}}


class Client:
    """Its methods are no coroutine functions, and most of them return what is to be awaited or entered."""

    def __init__(self) -> None:
        self.keys: list[str | None] = []

    async def _send(self, key: str | None) -> str:
        self.keys.append(key)
        return "ok"

    def place(self, *, key: str | None = None):  # type: ignore[no-untyped-def]  # an annotation would say it
        """Return a coroutine."""
        return self._send(key)

    def place_at_once(self, *, key: str | None = None):  # type: ignore[no-untyped-def]
        """Return a task, which begins by itself."""
        return asyncio.ensure_future(self._send(key))

    @asynccontextmanager
    async def place_in_block(self, *, key: str | None = None) -> AsyncIterator[str]:
        """Send when it is entered."""
        yield await self._send(key)

    def place_either(self, later: bool, *, key: str | None = None):  # type: ignore[no-untyped-def]
        """Return a coroutine, or send."""
        if later:
            return self._send(key)
        self.keys.append(key)
        if len(self.keys) > 2:
            raise ConnectionResetError
        return "ok"


async def enter(block: Any) -> None:
    """Enter and leave a context manager."""
    async with block:
        pass


async def wait(made: Awaitable[Any]) -> None:
    """Await it."""
    await made


@pytest.mark.parametrize(
    ("operation", "use"), [("place", wait), ("place_at_once", wait), ("place_in_block", enter)]
)  # fmt: skip
def test_each_order_has_a_key_of_its_own(operation: str, use: Any) -> None:
    """A lookup by a key that was not sent would say that the order does not exist, and it would be placed twice."""
    client = Client()
    wrapped: Any = wrap(client, Policy(), operations=OPERATIONS)

    async def story() -> None:
        for _ in range(3):
            await use(getattr(wrapped, operation)())
        await use(getattr(wrapped, operation)(key="mine"))

    asyncio.run(story())
    assert client.keys[3] == "mine"
    assert None not in client.keys
    assert len(set(client.keys)) == 4


def test_a_method_that_does_the_one_or_the_other() -> None:
    """What it sends at once has its key, too, and the policy explains its errors."""
    client = Client()
    wrapped: Any = wrap(client, Policy(), operations=OPERATIONS)

    async def story() -> None:
        await wrapped.place_either(True)
        wrapped.place_either(False)
        with pytest.raises(ConnectionResetError) as caught:
            wrapped.place_either(False)
        assert any("look for key" in note for note in caught.value.__notes__)

    asyncio.run(story())
    assert None not in client.keys
    assert len(set(client.keys)) == 3
