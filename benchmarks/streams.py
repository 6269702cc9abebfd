"""Breaks the connections of bots 500 times in ten minutes: with our client, and with a plain reconnect loop."""

from __future__ import annotations

from importlib.metadata import version
from textwrap import fill

from .rounds import parse_options, report, table
from .soak import KINDS, Soak
from .soak_seen import SoakResult

NAMES = {"ours": "resilience", "plain": "`async for websocket in connect(...)`"}
HEADER = (
    "client", "disconnects", "seconds", "handshakes", "missing", "duplicates", "limits exceeded", "subscribed", "fed",
    "ends of orders", "received", "over REST", "tasks left", "threads left",
)  # fmt: skip

WHAT = (
    """Four bots at one address have four public and three private subscriptions each (V3: two), on two connections
each. Connections are broken at random moments, equally often in each of these ways: {kinds} (the handshake is refused,
a login is rejected, or the connection is lost during its login or its subscription). An order is placed every second,
and every other one is cancelled two minutes later; the ends that a bot received, from the stream or over REST, are
compared with the exchange. The exchange counts everything else. Seed {seed}, {pace} sandbox seconds per real second
(except for REST, whose limits are off), one run per row.""",
    """*seconds*: until the last disconnect (600 are planned; 300 handshakes in 5 min are allowed, so clients that are
broken faster have to wait); *missing*: subscriptions that were missing two minutes later; *duplicates*: subscriptions
made twice on one connection; *subscribed*: average share of the wanted subscriptions; *fed*: share of the feeds'
updates that arrived (a half-open connection is noticed after some 30 s); *left*: after everything was closed. The
plain loop (websockets {version}) logs in, subscribes, pings, and closes a connection that refused its login; it ends
for good if the exchange answers a handshake with 429.""",
)


def row(soak: Soak, result: SoakResult) -> list[str]:
    """Return a row of the table."""
    client = f"{NAMES[soak.name]}, {soak.version.upper()}"
    return [
        f"**{client}**" if soak.name == "ours" else client,
        f"{result.disconnects.total()} of {soak.disconnects}",
        f"{result.seconds:.0f}",
        str(result.connects),
        str(result.missing),
        str(result.duplicates),
        str(result.violations),
        f"{result.subscribed:.0%}",
        f"{result.fed:.0%}",
        str(result.ends),
        str(result.received),
        str(result.fetched),
        str(result.tasks),
        str(result.threads),
    ]


def main() -> None:
    """Run the soaks and print the table."""
    options = parse_options(__doc__ or "", disconnects=500, seconds=600, pace=10, seed=7)
    soaks = [
        Soak(name, version, disconnects, options.seconds, seed=options.seed, pace=options.pace)
        for disconnects in (options.disconnects, options.disconnects // 5)
        for name, version in (("ours", "v2"), ("ours", "v3"), ("plain", "v2"))
    ]
    rows = []
    for soak in soaks:
        result = soak.run()
        rows.append(row(soak, result))
        print(" | ".join(rows[-1]), flush=True)
        print(f"    errors: {dict(result.errors)}", flush=True)
    values = {"kinds": "; ".join(KINDS), "seed": options.seed, "pace": options.pace, "version": version("websockets")}
    parts = [fill(text.format(**values), 130, break_on_hyphens=False) for text in WHAT]
    report("streams", "Streams whose connections break", *parts, table(HEADER, rows), write=options.write)


if __name__ == "__main__":
    main()
