"""Settings and fixtures of every test: hypothesis draws the same examples each time and measures no time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import trio
from hypothesis import settings

from resilience.testing import AsyncScriptedTransport, ScriptedTransport

settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


class Driver:
    """Runs one story through a sync function, an asyncio task or a trio task.

    A story makes its transport and calls what was compiled from it; the colour is the driver's affair.
    """

    def __init__(self, colour: str) -> None:
        self.colour = colour

    def transport(self, script: Iterable[Any]) -> ScriptedTransport:
        """Return a scripted transport of this driver's colour."""
        return ScriptedTransport(script) if self.colour == "sync" else AsyncScriptedTransport(script)

    def function(self, body: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function of this driver's colour that does what `body` does."""
        if self.colour == "sync":
            return body

        async def colored(*args: Any, **kwargs: Any) -> Any:
            return body(*args, **kwargs)

        return colored

    def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call what was compiled or decorated and return what it returns."""
        if self.colour == "sync":
            return fn(*args, **kwargs)

        async def run() -> Any:
            return await fn(*args, **kwargs)

        return asyncio.run(run()) if self.colour == "asyncio" else trio.run(run)


@pytest.fixture(params=["sync", "asyncio", "trio"])
def driver(request: pytest.FixtureRequest) -> Driver:
    """Every story runs once through each driver."""
    return Driver(request.param)
