"""Loads policies that share a quota, and counts what they send."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

from resilience import Policies, RejectedError


def policies_at(
    url: str,
    *,
    limit: int = 50,
    per: str = "s",
    processes: int = 4,
    patience: str = "2s",
    name: str = "orders",
    deadline: str = "60s",
) -> Policies:
    """Return policies that are a member of a fleet: all members together send `limit` per second, or per minute."""
    quota = {"name": name, "rate": f"{limit}/{per}", "burst": limit}
    return Policies.from_mapping(
        {
            "shared": {"url": url, "namespace": "test", "processes": processes, "patience": patience},
            "policies": {"trade": {"deadline": deadline, "quota": [quota]}},
        }
    )


def greedy(policies: Sequence[Policies], seconds: float, meanwhile: Callable[[], object] = lambda: None) -> list[float]:
    """Send with each set of policies as often as it lets, from a thread of its own; return the instants, sorted."""
    sends: list[float] = []
    end = time.monotonic() + seconds

    def run(own: Policies) -> None:
        send = own.pipeline("trade").compile(lambda: sends.append(time.monotonic()))
        while time.monotonic() < end:
            try:
                send()
            except RejectedError:
                time.sleep(0.01)

    threads = [threading.Thread(target=run, args=(own,)) for own in policies]
    for thread in threads:
        thread.start()
    meanwhile()
    for thread in threads:
        thread.join()
    return sorted(sends)


def send_until_refused(policies: Policies) -> int:
    """Send until a call would have to wait beyond its deadline; return how many were sent."""
    send = policies.pipeline("trade").compile(int)
    for number in range(1000):
        try:
            send()
        except RejectedError:
            return number
    raise AssertionError("no call was refused")


def age(client: Any) -> None:
    """Have the store remember for ages, as one does that has run for longer than a window."""
    for key in client.scan_iter("rs1:*epoch"):
        client.hset(key, "born", 1)


def most_in_any(instants: Sequence[float], span: float = 1.0) -> int:
    """Return the most sends in any window of this length."""
    return max((index + 1 - bisect_left(instants, at - span + 1e-9) for index, at in enumerate(instants)), default=0)


def shared_of(policies: Policies) -> dict[str, Any]:
    """Return what a snapshot says of the fleet."""
    shared: dict[str, Any] = policies.snapshot()["shared"]
    return shared
