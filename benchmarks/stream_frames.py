"""Measures what one frame of a stream costs, beside a raw `websockets` loop with `json.loads`.

    python -m benchmarks.stream_frames [--rounds N] [--write]

A server in another process sends the same frames to both, as fast as they are read. The rounds are interleaved; only
the processor time of the reading thread is counted, from the first update of a round to the last.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import time
from importlib.util import find_spec
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from resilience.bitget import WebsocketClientV2

from .rounds import Times, at_most, parse_options, report, table, target_table

FRAMES = 2000
"""Of one round."""
TICKER = {
    "instId": "BTCUSDT", "lastPr": "27000.5", "open24h": "27000.5", "high24h": "30668.5", "low24h": "26999.0",
    "change24h": "-0.00002", "bidPr": "27000", "askPr": "27000.5", "bidSz": "2.71", "askSz": "8.76",
    "baseVolume": "21.1", "quoteVolume": "571000.4", "openUtc": "27000.5", "changeUtc24h": "0", "ts": "1695709835822",
}  # fmt: skip
BOOK = {
    "asks": [[f"{27000 + level}.5", f"8.76{level:02}"] for level in range(15)],
    "bids": [[f"{26999 - level}.0", f"2.71{level:02}"] for level in range(15)],
    "checksum": 0,
    "seq": 123,
    "ts": "1695710946294",
}
KINDS: dict[str, tuple[Any, float]] = {"ticker": (TICKER, 1.6), "books15": (BOOK, 2.0)}


def run_server(port: Any) -> None:
    """Serve until the process is ended: each subscription gets its acknowledgement and the frames of a round."""

    async def handle(connection: ServerConnection) -> None:
        async for text in connection:
            if text == "ping":
                await connection.send("pong")
                continue
            message = json.loads(text)
            for arg in message["args"] if message["op"] == "subscribe" else ():
                await connection.send(json.dumps({"event": "subscribe", "arg": arg}))
                data = KINDS[arg["channel"]][0]
                frame = json.dumps({"action": "snapshot", "arg": arg, "data": [data], "ts": 1695714979809})
                for _ in range(FRAMES + 1):
                    await connection.send(frame)

    async def main() -> None:
        async with serve(handle, "127.0.0.1", 0, compression=None) as server:
            port.put(server.sockets[0].getsockname()[1])
            await asyncio.get_running_loop().create_future()

    asyncio.run(main())


class Raw:
    """A loop over the frames of a connection, each parsed by `json`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None

    async def measure(self, arg: dict[str, str]) -> float:
        """Return the nanoseconds per frame of one round."""
        if self._connection is None:
            self._connection = await connect(self._url, compression=None)
        await self._connection.send(json.dumps({"op": "subscribe", "args": [arg]}))
        await self._connection.recv()
        seen, before = -1, 0
        async for text in self._connection:
            message = json.loads(text)
            seen += message["arg"]["instId"] == arg["instId"]
            if seen == 0:
                before = time.thread_time_ns()
            if seen == FRAMES:
                return (time.thread_time_ns() - before) / FRAMES
        raise RuntimeError("the connection has ended")


class Ours:
    """The client of this library, with every check that it makes."""

    def __init__(self, url: str) -> None:
        self._client = WebsocketClientV2(base_url=url)
        self._updates = aiter(self._client)

    async def measure(self, arg: dict[str, str]) -> float:
        """Return the nanoseconds per frame of one round."""
        self._client.subscribe(arg)
        seen, before = -1, 0
        async for message in self._updates:
            seen += message["arg"]["instId"] == arg["instId"]
            if seen == 0:
                before = time.thread_time_ns()
            if seen == FRAMES:
                return (time.thread_time_ns() - before) / FRAMES
        raise RuntimeError("the client has ended")

    async def close(self) -> None:
        await self._client.close()


async def measure(url: str, kind: str, rounds: int) -> dict[str, Times]:
    """Return the nanoseconds per frame of both, one figure per round."""
    raw, ours = Raw(url), Ours(url)
    times = {"raw": Times(), "ours": Times()}
    for number in range(rounds + 1):
        arg = {"instType": "SPOT", "channel": kind, "instId": f"COIN{number}USDT"}
        found = {"raw": await raw.measure(arg), "ours": await ours.measure(arg)}
        if number:  # the first round loads what later ones have
            for name, nanoseconds in found.items():
                times[name].rounds.append(nanoseconds)
    await ours.close()
    return times


def main() -> None:
    """Measure and print the table."""
    options = parse_options(__doc__ or "", rounds=15)
    port: Any = multiprocessing.Queue()
    server = multiprocessing.Process(target=run_server, args=(port,), daemon=True)
    server.start()
    try:
        url = f"ws://127.0.0.1:{port.get(timeout=30)}"
        found = {kind: asyncio.run(measure(url, kind, options.rounds)) for kind in KINDS}
    finally:
        server.terminate()
        with contextlib.suppress(Exception):
            server.join(5)
    parser = "msgspec is installed" if find_spec("msgspec") else "msgspec is not installed"
    report(
        "stream_frames",
        "A frame of a stream",
        target_table(
            at_most(f"{kind}, against raw websockets and json", limit, found[kind]["ours"].ratio(found[kind]["raw"]))
            for kind, (_, limit) in KINDS.items()
        ),
        f"{FRAMES} frames per round, {options.rounds} interleaved rounds, processor time of the thread; {parser}.",
        table(
            ("", "raw, µs a frame", "ours, µs a frame", "ratio"),
            [
                (kind, *(f"{times[name].median / 1000:.1f}" for name in ("raw", "ours")), f"{ratio:.2f}")
                for kind, times in found.items()
                for ratio in [times["ours"].ratio(times["raw"])]
            ],
        ),
        write=options.write,
    )


if __name__ == "__main__":
    main()
