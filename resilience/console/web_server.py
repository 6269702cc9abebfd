"""Runs the console on loopback by uvicorn, in a daemon thread with an event loop of its own, until it is closed.

It is the only importer of uvicorn. A bot may run uvicorn too: nothing global is configured, no signal handler is
installed, and uvicorn's log lines of this thread are discarded.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import uvicorn

from .._core.base.fork_safety import register_for_fork
from .access_rules import AccessRules
from .event_stream import INTERVAL
from .listen_address import check_address, new_token, url_of
from .live_view import LiveView
from .live_viewers import LiveViewers
from .served_policies import ServedPolicies, SharedSnapshot
from .viewers import Viewers
from .web_app import new_app

__all__ = ["Console"]

_THREAD = "resilience-console"
_JOIN_TIMEOUT = 3.0  # seconds
_MAX_CONNECTIONS = 256
_SEND_TIMEOUT = 20_000  # milliseconds. A viewer that takes nothing for so long is disconnected: its place is needed


class Console:
    """The running console; use it as a context manager, or call `close`. Safe across threads.

    Attributes:
        url: the address of its page, such as `http://127.0.0.1:8700`.
        token: what the page asks for before it changes something. It is a secret.
    """

    def __init__(self, policies: ServedPolicies, *, host: str, port: int, token: str | None) -> None:
        """Bind the port and start to serve; see `serve`."""
        check_address(host, port)
        self.token: str = new_token(token)
        self._policies = policies
        self._access = AccessRules(self.token, protects_reading=token is not None)
        self._viewers = Viewers(policies.subscribe)
        self._socket = _listen(host, port)
        self._view = LiveView(policies)
        self._view.start()  # here, so that nothing is missed which happens once this has returned
        self.url: str = url_of(host, self._socket.getsockname()[1])
        self._server: uvicorn.Server | None = None
        self._is_ready, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=_THREAD, daemon=True)
        register_for_fork(self)
        self._thread.start()
        self._is_ready.wait(_JOIN_TIMEOUT)  # the socket accepts connections already: nothing is lost if it takes longer

    def close(self) -> None:
        """Stop listening, and end every stream and the thread. A second call does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._viewers.close()
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not threading.current_thread():
            self._thread.join(_JOIN_TIMEOUT)

    def reset_after_fork(self) -> None:
        """Close the child's copy of the socket, and listen to no event: the parent serves on."""
        self._closed.set()
        self._view.stop()
        self._viewers.forget()
        with contextlib.suppress(OSError):
            self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Console {self.url}>"

    def _run(self) -> None:
        with _silenced():
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        live = LiveViewers(self._view)
        snapshot = SharedSnapshot(self._policies, INTERVAL * 0.9)
        app = new_app(self._policies, self._access, live, self._viewers, snapshot)
        config = _QuietConfig(
            app, loop="asyncio", http="h11", ws="none", lifespan="off", log_config=None, proxy_headers=False,
            server_header=False, date_header=False, limit_concurrency=_MAX_CONNECTIONS, timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = server = _QuietServer(config, live)
        if self._closed.is_set():
            server.should_exit = True
        ticking = asyncio.create_task(live.run())
        self._is_ready.set()
        try:
            await server.serve(sockets=[self._socket])
        finally:
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking


class _QuietConfig(uvicorn.Config):
    def configure_logging(self) -> None:
        """Configure nothing: the loggers are those of the whole process."""


class _QuietServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, live: LiveViewers) -> None:
        super().__init__(config)
        self._live = live

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none: signals are the bot's."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first, which would never end by themselves."""
        self._live.close()
        await super().shutdown(sockets)


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Discard uvicorn's log lines of this thread. Clients disconnect all the time, and actions are events."""
    ours = threading.get_ident()

    def is_theirs(record: logging.LogRecord) -> bool:
        return record.thread != ours

    loggers = [logging.getLogger(name) for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi", "asyncio")]
    for logger in loggers:
        logger.addFilter(is_theirs)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(is_theirs)


def _listen(host: str, port: int) -> socket.socket:
    family: Any = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # on Windows this option would let two servers share one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux alone has it; the connections inherit it
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SEND_TIMEOUT)
        listener.bind((host, port))
        listener.listen(128)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        error.filename = f"{host}:{port}"  # part of its text: without it nobody knows which port is in use
        raise
    return listener
