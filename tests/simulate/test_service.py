"""The modelled service: latency, capacity, and the troubles that befall its requests."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

import pytest

from resilience import failure_of
from resilience.simulate import Service, Trouble, UnavailableError, run_virtual


def burst(requests: int, **settings: Any) -> list[tuple[Any, float]]:
    """Send requests at one instant; return what each got, and when."""

    async def main() -> list[tuple[Any, float]]:
        time = asyncio.get_running_loop().time
        service = Service(**{"capacity": 10, "latency": 0.1, "random": Random(1), **settings})

        async def one() -> tuple[Any, float]:
            try:
                return await service.send(), round(time(), 6)
            except Exception as error:
                return type(error), round(time(), 6)

        return await asyncio.gather(*(one() for _ in range(requests)))

    return run_virtual(main())


def test_it_queues() -> None:
    """What cannot be served at once waits its turn, and who has no patience gets nothing."""
    assert burst(4, overload="queue") == [(200, 0.1), (200, 0.2), (200, 0.3), (200, 0.4)]
    assert burst(3, overload="queue", patience=0.25)[2] == (TimeoutError, 0.25)


def test_it_sheds() -> None:
    """What would wait too long is refused at once and takes no one's place."""
    assert burst(5, longest_queue=0.25) == [
        (200, 0.1), (200, 0.2), (200, 0.3), (UnavailableError, 0.0), (UnavailableError, 0.0)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("hang", (TimeoutError, 1.0)), ("error", (UnavailableError, 0.1)), ("refuse", (UnavailableError, 0.0))],
)
def test_trouble(kind: Any, expected: Any) -> None:
    """While it lasts a request hangs for all the client's patience, or fails, or is refused."""
    assert burst(1, troubles=(Trouble(start=0, end=5, kind=kind),)) == [expected]


def test_trouble_of_a_share() -> None:
    """A share of the requests is befallen, the same ones for the same seed."""
    trouble = Trouble(start=0, end=5, share=0.3, kind="refuse")
    settings: dict[str, Any] = {"capacity": 1e6, "latency": 0, "troubles": (trouble,)}
    first = burst(1000, **settings)
    assert 250 < sum(kind is UnavailableError for kind, _ in first) < 350
    assert first == burst(1000, **settings)


def test_its_errors_are_those_of_an_http_client() -> None:
    """A 503 is retryable and may have been executed."""
    failure = failure_of(UnavailableError("it is full"))
    assert (failure.category, failure.code, failure.executed) == ("retryable", "503", "maybe")
