"""Bots whose connections are broken 500 times in ten minutes: ours, beside a plain reconnect loop."""

from __future__ import annotations

from importlib.metadata import version
from textwrap import fill

from .rounds import options, report, table
from .soak import KINDS, Soak
from .soak_seen import Count

NAMES = {"ours": "resilience", "plain": "`async for websocket in connect(...)`"}
HEADER = (
    "client", "disconnects", "seconds", "handshakes", "missing", "twice", "limits exceeded", "subscribed", "fed",
    "ends of orders", "heard of", "by REST", "tasks left", "threads left",
)  # fmt: skip

WHAT = (
    """Four bots at one address want four public and three private subscriptions each (V3: two), on two connections
each. Connections are broken at random moments, as often each way: {kinds} (the handshake
is refused, the login is rejected for a while, or the connection is lost in the middle of its login or its
subscription). An order is placed every second, and every other one is cancelled two minutes later; what a bot heard
of its end, by the stream or by REST, is held against the exchange. All else is counted by the exchange. Seed {seed},
{pace} sandbox seconds in a real one (but for REST, whose limits are off), one run a row.""",
    """*seconds*: until the last disconnect (600 are given; 300 handshakes in 5 min are allowed, and who is broken
faster has to wait); *missing*: subscriptions that were not there two minutes later; *twice*: made twice on one
connection; *subscribed*: share of the time and of what was wanted; *fed*: share of the feeds' updates that arrived
(a half-open connection is noticed after some 30 s); *left*: when all was closed. The plain loop (websockets {version})
logs in, subscribes, pings, and closes what refused its login; it ends for good where the venue answers its handshake
with 429.""",
)


def row(soak: Soak, count: Count) -> list[str]:
    """Return a line of the table."""
    client = f"{NAMES[soak.name]}, {soak.version.upper()}"
    return [
        f"**{client}**" if soak.name == "ours" else client,
        f"{count.disconnects.total()} of {soak.disconnects}",
        f"{count.seconds:.0f}",
        str(count.connects),
        str(count.missing),
        str(count.twice),
        str(count.violations),
        f"{count.subscribed:.0%}",
        f"{count.fed:.0%}",
        str(count.ends),
        str(count.heard),
        str(count.fetched),
        str(count.tasks),
        str(count.threads),
    ]


def main() -> None:
    """Run the soaks and print the table."""
    given = options(__doc__ or "", disconnects=500, seconds=600, pace=10, seed=7)
    soaks = [
        Soak(name, version, disconnects, given.seconds, seed=given.seed, pace=given.pace)
        for disconnects in (given.disconnects, given.disconnects // 5)
        for name, version in (("ours", "v2"), ("ours", "v3"), ("plain", "v2"))
    ]
    rows = []
    for soak in soaks:
        count = soak.run()
        rows.append(row(soak, count))
        print(" | ".join(rows[-1]), flush=True)
        print(f"    told: {dict(count.told)}", flush=True)
    told = {"kinds": "; ".join(KINDS), "seed": given.seed, "pace": given.pace, "version": version("websockets")}
    parts = [fill(one.format(**told), 130, break_on_hyphens=False) for one in WHAT]
    report("streams", "Streams whose connections break", *parts, table(HEADER, rows), write=given.write)


if __name__ == "__main__":
    main()
