"""A client in its own thread, for bots without an event loop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from resilience.sandbox import Sandbox
from tests.bitget.listening import ORDERS, TICKER, client_of


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """A calm exchange."""
    with Sandbox() as sandbox:
        yield sandbox


def test_a_loop_without_asyncio(exchange: Sandbox) -> None:
    """`for update in stream` yields updates in order, and leaving the `with` block ends the thread."""
    exchange.sockets.feed(TICKER, every=0.01)
    before = threading.active_count()
    updates = []
    with client_of(exchange).blocking() as stream:
        stream.subscribe(TICKER)
        stream.ready(timeout=60)
        assert stream.states == {"public": "live"}
        for update in stream:
            updates.append(update["data"][0]["seq"])
            if len(updates) == 5:
                break
    assert updates == list(range(updates[0], updates[0] + 5))
    assert threading.active_count() == before
    stream.close()


def test_handlers_and_wrong_use(exchange: Sandbox) -> None:
    """Handlers run in the stream's thread; wrong use raises in the caller's thread."""
    logged_in, threads = threading.Event(), []
    with client_of(exchange).blocking() as stream:

        def on_login(_notice: Any) -> None:
            threads.append(threading.current_thread().name)
            stream.subscribe(TICKER)
            logged_in.set()

        stream.on("authenticated", on_login)
        stream.subscribe(ORDERS)
        assert logged_in.wait(60)
        stream.ready(timeout=60)
        assert stream.states == {"private": "live", "public": "live"}
        assert threads == ["resilience-stream"]
        with pytest.raises(ValueError, match="needs instType"):
            stream.subscribe({"channel": "ticker"})
        with pytest.raises(ValueError, match="no event 'x'"):
            stream.on("x", print)
    with pytest.raises(RuntimeError, match="the client is closed"):
        stream.subscribe(TICKER)


def test_closing_from_a_handler_ends_a_loop(exchange: Sandbox) -> None:
    """A handler may close the stream, which ends the loop of another thread."""
    with client_of(exchange).blocking() as stream:
        stream.on("update", lambda _update: stream.close())
        stream.subscribe(TICKER)
        stream.ready(timeout=60)
        exchange.sockets.feed(TICKER, every=0.01)
        assert all(update["arg"] == TICKER for update in stream)
    assert stream.states == {"public": "closed"}


def test_closing_from_several_threads_at_once(exchange: Sandbox) -> None:
    """Every `close` returns after the end, and none raises."""
    for _ in range(3):
        stream = client_of(exchange).blocking()
        stream.subscribe(TICKER)
        stream.ready(timeout=60)
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda _, stream=stream: stream.close(), range(8))) == [None] * 8
