"""Serves the modelled service on a real socket, with clients that call it over HTTP, for `benchmarks.simulated`.

The client is a few lines of asyncio and not httpx: server and clients share a loop, so the processor time of a heavier
client would be measured as latency of the service.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from math import inf
from random import Random
from typing import Any

from resilience.simulate import Client, Outcome, Scenario, Service
from resilience.simulate.run import run_scenario, service_of
from resilience.simulate.service_answers import GOOD, ServiceAnswer

REASONS = {200: "OK", 429: "Too Many Requests", 503: "Service Unavailable"}


class LoopFromZero(asyncio.SelectorEventLoop):
    """An event loop whose time begins at 0, as the time of a scenario does."""

    def __init__(self) -> None:
        self._origin = 0.0
        super().__init__()
        self._origin = super().time()

    def time(self) -> float:
        return super().time() - self._origin


class LoopClock:
    """A clock that reads the time of a real loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.monotonic: Callable[[], float] = loop.time

    def time(self) -> float:
        return 1_700_000_000.0 + self.monotonic()

    def sleep(self, seconds: float) -> None:
        raise RuntimeError(f"a sleep of {seconds:g} s would block the loop")

    async def asleep(self, seconds: float) -> None:
        if seconds > 0:
            await asyncio.sleep(seconds)


Ran = tuple[Outcome, list[float]]
"""The outcome of the requests, and samples of the seconds by which the loop was late."""


def run_in_real_time(scenario: Scenario, client: Client, seed: int, each: Callable[[float], None]) -> Ran:
    """Run a scenario in real time: a server and its clients on loopback."""
    with asyncio.Runner(loop_factory=LoopFromZero) as runner:
        return runner.run(_run(scenario, client, Random(seed), each))


async def _run(scenario: Scenario, client: Client, random: Random, each: Callable[[float], None]) -> Ran:
    service = service_of(scenario, Random(random.random()))
    # A backlog of 512: all clients may connect at the same instant.
    server = await asyncio.start_server(lambda *pipe: _serve(service, *pipe), "127.0.0.1", 0, backlog=512)
    port = server.sockets[0].getsockname()[1]
    http_clients = [HttpClient(port, number, scenario.patience) for number in range(scenario.clients)]
    clock = LoopClock(asyncio.get_running_loop())
    late: list[float] = []
    sampling = asyncio.create_task(_sample_lateness(late))
    outcome = await run_scenario(
        scenario, client, lambda number: http_clients[number].send, service.attempts, clock, random, each
    )
    sampling.cancel()
    server.close()
    for http_client in http_clients:
        http_client.close()
    return outcome, late


async def _sample_lateness(late: list[float]) -> None:
    """Sample how late the loop runs a timer, which shows how busy the machine is."""
    time = asyncio.get_running_loop().time
    while True:
        # Often enough for an average, too seldom to be a load.
        due = time() + 0.02
        await asyncio.sleep(0.02)
        late.append(time() - due)


class HttpClient:
    """One client with keep-alive connections and a timeout of `patience` seconds."""

    def __init__(self, port: int, number: int, patience: float) -> None:
        self._port = port
        self._request = f"GET /{number} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self._patience = patience
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self) -> Any:
        """Make one request and return its answer.

        Raises:
            AnswerError: its status is an error.
            TimeoutError: no answer within `patience` seconds.
        """
        async with asyncio.timeout(self._patience):
            pipe = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
            try:
                answer = await self._answer(*pipe)
            # A connection whose answer is still on its way cannot be used again.
            except BaseException:
                pipe[1].close()
                raise
        self._idle.append(pipe)
        return 200 if answer is GOOD else answer.deliver()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> ServiceAnswer:
        writer.write(self._request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        length = int(headers["Content-Length"])
        body = json.loads(await reader.readexactly(length)) if length else None
        status = int(head[0].split(" ")[1])
        wish = float(headers["Retry-After"]) if "Retry-After" in headers else None
        return GOOD if status == 200 and body is None else ServiceAnswer(status, body, wish)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


async def _serve(service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection, one after the other."""
    time = asyncio.get_running_loop().time
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            after, answer = service.ask(time(), int(head.split(b" ", 2)[1][1:]))
            if after == inf:
                await reader.read()  # until the client disconnects
                return
            await asyncio.sleep(after)
            body = b"" if answer.body is None else json.dumps(answer.body).encode()
            more = "" if answer.retry_after is None else f"Retry-After: {answer.retry_after:g}\r\n"
            status = f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Error')}"
            writer.write(f"{status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
        pass  # the client disconnected, or the run is over
    finally:
        writer.close()
