"""Runs one greedy bot of a fleet: it sends as often as its policy lets it, cancels now and then, and reports instants.

    python -m benchmarks.fleet_bot URL SECONDS PROCESSES LIMIT PATIENCE

It prints a line when it is ready, begins with the first line that it reads, and prints its report as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from resilience import Policies, RejectedError

CANCEL_EVERY, PROBE_EVERY = 1.0, 0.5  # seconds
NO_ANSWER = "shared store"  # in the text of a rejection because of the store


def load(url: str, processes: int, limit: int, patience: str) -> Policies:
    """Return policies whose quota is shared."""
    os.environ["RESILIENCE_SHARED_URL"] = url
    return Policies.from_mapping(
        {
            "version": 1,
            "shared": {
                "url": "${RESILIENCE_SHARED_URL}", "namespace": "bench", "processes": processes, "patience": patience,
                "share": ["quota"],
            },
            "policies": {
                "trade": {"deadline": "20s", "quota": [{"name": "orders", "rate": f"{limit}/s", "burst": limit}]},
                # So small that no process has a standing part: without the store it waits, and is rejected.
                "probe": {"deadline": "20s", "quota": [{"name": "probe", "rate": "1/s", "burst": 1}]},
            },
        }
    )  # fmt: skip


def timed(call: Any) -> tuple[float, str]:
    """Return the seconds that a call took, and why it was rejected, if it was."""
    begin = time.monotonic()
    try:
        call()
    except RejectedError as error:
        return time.monotonic() - begin, str(error)
    return time.monotonic() - begin, ""


def run(policies: Policies, seconds: float) -> dict[str, Any]:
    """Send for some seconds; return what happened."""
    trade, probe = policies.pipeline("trade"), policies.pipeline("probe").compile(time.monotonic)
    sends: list[float] = []
    send = trade.compile(lambda: sends.append(time.monotonic()))
    cancel = policies.pipeline("trade", operation="cancel_order").compile(lambda: sends.append(time.monotonic()))
    cancels: list[tuple[float, str]] = []
    waits: list[float] = []
    rejected = 0
    end = time.monotonic() + seconds
    next_cancel, next_probe = time.monotonic() + CANCEL_EVERY * os.getpid() % 7 / 7, time.monotonic()
    while (now := time.monotonic()) < end:
        if now >= next_cancel:
            next_cancel = now + CANCEL_EVERY
            cancels.append(timed(cancel))
        if now >= next_probe:
            next_probe = now + PROBE_EVERY
            if not policies.snapshot()["shared"]["connected"]:
                took, why = timed(probe)
                waits += [took] if NO_ANSWER in why else []
        rejected += bool(timed(send)[1])
    shared = policies.snapshot()["shared"]
    return {
        "sends": sends,
        "cancels": cancels,
        "waits": waits,
        "rejected": rejected,
        "trips": shared["trips"],
        "granted": shared["quota"]["granted"],
    }


def main() -> None:
    """Run the bot that the arguments describe."""
    url, seconds, processes, limit, patience = sys.argv[1:]
    policies = load(url, int(processes), int(limit), patience)
    policies.pipeline("trade").compile(int)
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(run(policies, float(seconds))), flush=True)


if __name__ == "__main__":
    main()
