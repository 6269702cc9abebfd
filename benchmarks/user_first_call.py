"""Measures for how long the first failing call of an asyncio program keeps its loop: processor time of a fresh process.

`python -m benchmarks.user_failures` runs it once a row. In a checkout the shipped files have no compiled form; the
figures are those of an installed wheel only where there is one, and the report says which.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["ROWS", "milliseconds"]


class Row(NamedTuple):
    """What a program does before its first call, and how long that may keep the loop, in milliseconds."""

    before: str
    limit: float


_FAILS = "async def fails():\n    raise ConnectionRefusedError('no')\n"
_DECORATED = "call = resilience.resilient('http', idempotent=True)(fails)"
_REFUSES = "def refuse(request):\n    raise httpx.ConnectError('no')\n"
_CLIENT = "client = resilience.wrap(httpx.AsyncClient(transport=httpx.MockTransport(refuse)))\n"
ROWS = {
    "after configure": Row(
        f"{_FAILS}resilience.configure('policies/http.yaml')\n{_DECORATED}",
        5,
    ),
    "after warm_up": Row(
        f"{_FAILS}call = resilience.resilient('bitget', idempotent=True)(fails)\nresilience.warm_up()", 5
    ),
    "after wrap": Row(f"import httpx\n{_REFUSES}{_CLIENT}call = lambda: client.get('https://x.example/')", 5),
    "decorated, nothing warmed up": Row(_FAILS + _DECORATED, 50),
}
_PROGRAM = """
import asyncio, contextlib, time
import resilience
{before}

async def main():
    async def watch():
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest[0], last = max(longest[0], now - last), now

    longest = [0.0]
    watching = asyncio.create_task(watch())
    for _ in range(3):
        await asyncio.sleep(0)
    longest[0] = 0.0
    with contextlib.suppress(Exception):
        await asyncio.wait_for(call(), 1)  # the first failure comes at once; waits would go on
    watching.cancel()
    print(longest[0] * 1000)

asyncio.run(main())
"""


def milliseconds(row: str, root: Path, processes: int = 3) -> float:
    """Return the median of some fresh processes."""
    program = _PROGRAM.format(before=ROWS[row].before)
    return statistics.median(
        float(subprocess.run([sys.executable, "-c", program], cwd=root, check=True, capture_output=True).stdout)
        for _ in range(processes)
    )
