"""Which results are work that is not done yet, for classes without end."""

from __future__ import annotations

from resilience._core.call import deferred_results
from resilience._core.call.deferred_results import deferred_error, is_deferred


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
