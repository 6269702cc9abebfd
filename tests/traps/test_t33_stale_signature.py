"""A retry that reuses the request object sends a stale stamp and a used nonce."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from resilience import Pipeline, Policy
from resilience.testing import FakeClock


class StaleError(Exception):
    """The server has seen this nonce."""

    status_code = 401


class Server:
    """Fails the first request, and rejects a nonce that it has seen."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def answer(self, nonce: int) -> str:
        if nonce in self.seen:
            raise StaleError
        self.seen.append(nonce)
        if len(self.seen) == 1:
            raise ConnectionRefusedError
        return "fine"


def test_naive() -> None:
    """The request is made once and sent twice: the second error hides the first."""
    server, nonces = Server(), count()
    request = next(nonces)
    with pytest.raises(ConnectionRefusedError):
        server.answer(request)
    with pytest.raises(StaleError):
        server.answer(request)


def test_ours(driver: Any) -> None:
    """The function that signs is the attempt: stamp and nonce are new each time."""
    server, nonces = Server(), count()
    send = driver.function(lambda: server.answer(next(nonces)))
    pipeline = Pipeline(Policy(retry={"max_attempts": 2}), clock=FakeClock())
    assert driver.call(pipeline.compile(send)) == "fine"
    assert server.seen == [0, 1]
