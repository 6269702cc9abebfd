"""Drills: several members are greedy while their store fails. They never exceed the limit, and the naive ways do.

Each set of policies is a member of its own. Instants are those of one monotonic clock, so that the counts hold on any
machine: nothing here asserts how quick it is.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.fleet.fleets import age, greedy, most_in_any, policies_at, send_until_refused, shared_of
from tests.fleet.naive import Counter, WallClocks, without_epoch
from tests.fleet.waiting import wait_for

LIMIT, MEMBERS = 50, 4


def pause(server: Any) -> None:
    """Stop the server for a while."""
    process = server._process.pid
    os.kill(process, signal.SIGSTOP)
    time.sleep(0.7)
    os.kill(process, signal.SIGCONT)


def kill_and_restart(server: Any) -> None:
    """Kill the server, and start an empty one at its port."""
    port = server.port
    server._process.kill()
    server._process.wait()
    again = type(server)(port=port)
    server.__dict__.update(again.__dict__)
    server.start()


def flush(server: Any) -> None:
    """Empty the server."""
    import redis

    with redis.Redis(port=server.port) as client:
        client.flushall()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [pause, kill_and_restart, flush])
def test_a_limit_holds_while_the_store_fails(own_server: Any, fault: Callable[[Any], None]) -> None:
    """Leases in hand, standing parts and what a store without memory grants are the limit together."""
    url = f"redis://127.0.0.1:{own_server.port}"
    policies = [policies_at(url, limit=LIMIT, processes=MEMBERS, patience="100ms") for _ in range(MEMBERS)]

    def meanwhile() -> None:
        time.sleep(2.0)
        fault(own_server)

    sends = greedy(policies, 5.0, meanwhile)
    assert most_in_any(sends) <= LIMIT
    assert len(sends) > LIMIT  # it did work


@pytest.mark.parametrize("is_naive", [False, True])
def test_a_flushed_store_does_not_grant_the_limit_once_more(
    client: Any, url: str, monkeypatch: pytest.MonkeyPatch, is_naive: bool
) -> None:
    """Without the law of epochs it does. The limit is per minute, so that all sends are in one window."""
    if is_naive:
        monkeypatch.setattr("resilience.fleet.quota_leases.BOOK", without_epoch())
    make = partial(policies_at, url, limit=LIMIT, processes=MEMBERS, per="m", deadline="500ms")
    first, second = make(), make()
    sent = send_until_refused(first)  # its standing part, and the store gets an epoch
    age(client)
    wait_for(lambda: shared_of(first)["quota"]["granted"])
    sent += send_until_refused(make())
    client.flushall()
    sent += send_until_refused(second)
    assert (sent > LIMIT) is is_naive
    assert sent > LIMIT // 2


@pytest.mark.slow
def test_refusing_and_polling_exceeds_the_limit(client: Any) -> None:
    """The naive way beside: two spans of a counter meet, and nearly twice the limit is sent in one."""
    span, sends = 3.0, []
    counter = Counter(client, LIMIT, span)
    counter.wait()
    wait_for(lambda: client.pttl("naive") < 300)
    for _ in range(2 * LIMIT - 1):
        counter.wait()
        sends.append(time.monotonic())
    assert most_in_any(sends, span) > LIMIT


def test_wall_clocks_exceed_the_limit(client: Any) -> None:
    """The naive way beside: a process whose clock is ahead forgets what the others have sent."""
    slow, fast = (WallClocks(client, LIMIT, 60.0, ahead) for ahead in (0.0, 120.0))
    begin = time.monotonic()
    for _ in range(LIMIT):
        slow.wait()
    for _ in range(LIMIT):
        fast.wait()
    assert time.monotonic() - begin < 60.0


@pytest.mark.slow
def test_a_member_that_is_cut_off_uses_its_standing_part(own_server: Any, url: str) -> None:
    """Without a store it sends its own part in each window, and the events say so."""
    policies = policies_at("redis://127.0.0.1:1", limit=100, processes=4, patience="50ms")
    sends = greedy([policies], 2.5)
    assert 1 <= most_in_any(sends) <= shared_of(policies)["quota"]["windows"][0]["standing"] == 2
    wait_for(lambda: shared_of(policies)["lost"])


@pytest.mark.slow
def test_leases_booked_before_a_flush_are_not_sent_beside_new_ones(client: Any, url: str) -> None:
    """A lease may begin long after it was booked. The store that has forgotten it grants its room to somebody else."""
    make = partial(policies_at, url, limit=2, per="2s", processes=4)
    send_until_refused(policies_at(url, limit=2, per="2s", processes=4, deadline="500ms"))
    age(client)
    client.delete(*client.scan_iter("rs1:*sends"))
    sends: list[float] = []
    first, second, third = (
        own.pipeline("trade").compile(lambda: sends.append(time.monotonic())) for own in (make(), make(), make())
    )
    first(), first()
    before = threading.Thread(target=lambda: (second(), second()))
    before.start()
    wait_for(lambda: any(int(client.zcard(key)) > 1 for key in client.scan_iter("rs1:*sends")))
    client.flushall()
    third(), third()
    before.join()
    assert most_in_any(sends, 1.8) == 2
