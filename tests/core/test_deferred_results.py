"""Which results are work that is not done yet, for classes without end."""

from __future__ import annotations

import asyncio
from contextlib import _GeneratorContextManager
from types import CoroutineType

import pytest

from resilience._core.call import deferred_results
from resilience._core.call.deferred_results import deferred_error, is_deferred, is_later


async def work() -> None:
    """Do nothing."""


class Request:
    """A coroutine by another name, as aiohttp has it."""

    closed = False

    def __await__(self) -> object:
        return iter(())

    def send(self, value: object) -> object:
        """Go on."""
        return value

    def close(self) -> None:
        """Close it."""
        self.closed = True


def test_many_classes() -> None:
    """A program that makes classes without end fills no memory."""
    for number in range(1200):
        members = {"__await__": iter} if number % 2 else {}
        assert is_deferred(type("Made", (), members)) is bool(number % 2)
    assert len(deferred_results._answers) <= 512


def test_what_has_not_begun_is_closed() -> None:
    """Python would warn of a coroutine that nobody awaits."""
    request = Request()
    assert "whose work may still be under way" in str(deferred_error(request, "get"))
    assert request.closed
    assert "async function" in str(deferred_error(work(), "get"))


class _Entered:
    def __enter__(self) -> None: ...


class _EnteredAsync:
    async def __aenter__(self) -> None: ...


class _Client(_Entered):
    """What can be entered and has methods of its own is used directly."""

    a = b = c = d = e = f = g = h = i = None


@pytest.mark.parametrize(
    ("kind", "later"),
    [
        (_GeneratorContextManager, True),
        (CoroutineType, True),
        (asyncio.Future, True),
        (_Entered, True),
        (_EnteredAsync, True),
        (_Client, False),
        (memoryview, False),
        (dict, False),
    ],
)
def test_what_a_proxy_awaits_or_enters(kind: type, later: bool) -> None:
    """Small objects that only wait to be awaited or entered; nothing that is used directly."""
    assert is_later(kind) == later
