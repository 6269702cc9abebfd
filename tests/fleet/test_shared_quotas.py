"""Tests of a quota that several processes share: asyncio, trio and threads, cancels, forks and reloads."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from resilience import Policies, QuotaExceededError
from tests.fleet.fleets import greedy, most_in_any, policies_at, shared_of
from tests.fleet.waiting import wait_for


def test_two_members_have_one_limit(url: str) -> None:
    """Together they send what the limit allows one."""
    policies = [policies_at(url, limit=40, processes=2) for _ in range(2)]
    sends = greedy(policies, 3.5)
    assert most_in_any(sends) <= 40
    assert len(sends) > 40
    assert all(shared_of(own)["quota"]["granted"] for own in policies)


def test_another_name_is_another_limit(url: str) -> None:
    """Quotas are shared by name; keys in the store have no readable account or host."""
    first, second = policies_at(url, name="orders"), policies_at(url, name="reads")
    for own in (first, second):
        own.pipeline("trade").call(int)
    wait_for(lambda: shared_of(second)["quota"]["granted"])


async def send_some(policies: Policies, number: int) -> list[float]:
    """Send some calls at the same time; return their instants."""
    sends: list[float] = []

    async def send() -> None:
        sends.append(time.monotonic())

    call = policies.pipeline("trade").compile(send)
    if "trio" in sys.modules and _in_trio():
        import trio

        async with trio.open_nursery() as nursery:
            for _ in range(number):
                nursery.start_soon(call)
    else:
        await asyncio.gather(*(call() for _ in range(number)))
    return sorted(sends)


def _in_trio() -> bool:
    import trio

    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        return False
    return True


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tasks_wait_for_leases(url: str, backend: str) -> None:
    """Tasks that wait leave the loop free, and are sent within the limit."""
    policies = policies_at(url, limit=40, processes=2)
    if backend == "trio":
        import trio

        sends = trio.run(send_some, policies, 60)
    else:
        sends = asyncio.run(send_some(policies, 60))
    assert len(sends) == 60
    assert most_in_any(sends) <= 40


def test_a_limit_that_is_too_small_for_a_standing_part_is_refused_without_the_store() -> None:
    """The call waits for its patience, and the error says why."""
    policies = policies_at("redis://127.0.0.1:1", limit=1, processes=8, patience="50ms")
    with pytest.raises(QuotaExceededError, match="the shared store does not answer") as caught:
        policies.pipeline("trade").call(int)
    assert caught.value.reason == "quota"


def test_cancels_are_not_refused_without_the_store() -> None:
    """They are sent on credit, as far as the limit of this process alone allows."""
    policies = policies_at("redis://127.0.0.1:1", limit=4, processes=8, patience="50ms")
    cancel = policies.pipeline("trade", operation="cancel_order").compile(int)
    assert [cancel() for _ in range(4)] == [0] * 4


def test_what_was_sent_counts_when_sharing_begins_or_ends(url: str, tmp_path: Path, monkeypatch: Any) -> None:
    """A reload that adds or removes the section keeps the sends of this process."""
    monkeypatch.setenv("RESILIENCE_SHARED_URL", url)
    path = tmp_path / "bot.yaml"
    alone = "version: 1\npolicies: {trade: {deadline: 1s, quota: [{name: o, rate: 5/h, burst: 5}]}}\n"
    path.write_text(alone)
    policies = Policies.load(path)
    call = policies.pipeline("trade").compile(int)
    for _ in range(3):
        call()
    path.write_text(alone + 'shared: {url: "${RESILIENCE_SHARED_URL}", processes: 1}\n')
    policies.reload()
    call()  # the standing part: a store that is new grants nothing for an hour
    path.write_text(alone)
    policies.reload()
    call()
    with pytest.raises(QuotaExceededError):
        call()
    assert policies.snapshot()["quotas"][0]["used"] == 5


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_parent_and_child_share_one_limit(url: str) -> None:
    """The child has no permits of its parent, and its own thread leases more."""
    program = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.fleet.fleets import greedy, policies_at
policies = policies_at({url!r}, limit=40, processes=2)
policies.pipeline("trade").call(int)
child = os.fork() == 0
print(*greedy([policies], 3.0), flush=True)
os._exit(0) if child else os.wait()
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    sends = sorted(map(float, done.stdout.split()))
    assert done.stderr == ""
    assert len(sends) > 40
    assert most_in_any(sends) <= 40


def test_a_policy_file_says_how_it_is_shared(url: str) -> None:
    """`describe` of the pipeline has the limit of all processes; the snapshot says how it is divided."""
    policies = policies_at(url, limit=100, processes=8)
    assert policies.pipeline("trade").describe()["quota"][0]["burst"] == 100
    policies.pipeline("trade").call(int)
    (window,) = shared_of(policies)["quota"]["windows"]
    assert (window["limit"], window["leased"], window["standing"]) == (100, 92, 1)
