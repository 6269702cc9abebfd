"""Runs the programs of this folder, each in a process of its own, against a sandbox or a scripted server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from resilience.sandbox import Sandbox

FOLDER = Path(__file__).parent
NEEDS = {
    "celery_worker": ["celery"],
    "discord_bot": ["discord", "websockets"],
    "django_views": ["django"],
    "fastapi_service": ["fastapi", "httpx", "uvicorn"],
    "gevent_bot": ["gevent"],
    "nested_loop": ["nest_asyncio", "httpx"],
    "notebook": ["ipykernel", "jupyter_client", "httpx"],
    "pybit_bot": ["pybit"],
    "python_binance_bot": ["binance"],
    "telegram_bot": ["telegram"],
    "twenty_symbols": ["ccxt"],
    "uvloop_bot": ["uvloop", "httpx"],
}
"""The packages that each program imports."""
FAULTS = {"accept_drop": 0.2, "accept_500": 0.2, "lag": 0.1, "refuse_503": 0.1, "query_drop": 0.05}
"""Faults of many orders that cost a program no timeout."""
UNSEEN = ("never awaited", "never retrieved", "Exception ignored", "was destroyed but it is pending")
"""What Python writes about an error that reached nobody."""


class Finished(NamedTuple):
    """What a user sees of a program that has ended."""

    results: list[Any]
    errors: str


def require(program: str) -> None:
    """Skip the test where a package that the program imports is missing."""
    missing = [name for name in NEEDS[program] if find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'resilience-middleware[programs]'")


def environment(**settings: object) -> dict[str, str]:
    """Return the environment of a program: the machine's own, without its proxies, and these settings."""
    own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    own["PYTHONPATH"] = os.pathsep.join([str(FOLDER.parents[1]), own.get("PYTHONPATH", "")])
    return own | {name: str(value) for name, value in settings.items()}


def start(program: str, *words: str, **settings: object) -> subprocess.Popen[str]:
    """Start a program with these words and settings."""
    require(program)
    command = [sys.executable, str(FOLDER / f"{program}.py"), *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment(**settings))


def finish(process: subprocess.Popen[str], code: int = 0) -> Finished:
    """Wait for the end of a program that writes a line of JSON per result."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == code, errors
    assert not [text for text in UNSEEN if text in errors], errors
    return Finished([json.loads(line) for line in output.splitlines()], errors)


def run(program: str, *words: str, **settings: object) -> Finished:
    """Run a program to its end."""
    return finish(start(program, *words, **settings))


@pytest.fixture
def exchange() -> Iterator[Sandbox]:
    """An exchange that stands in for Bitget, without rate limits."""
    with Sandbox(window=1.0, limits=False) as sandbox:
        yield sandbox


@pytest.fixture
def account(exchange: Sandbox) -> dict[str, str]:
    """The settings with which a program finds that exchange."""
    return {
        "EXCHANGE_URL": exchange.rest,
        "EXCHANGE_KEY": exchange.key,
        "EXCHANGE_SECRET": exchange.secret,
        "EXCHANGE_PASSPHRASE": exchange.passphrase,
        "RESILIENCE_POLICIES": exchange.policy,
    }


@pytest.fixture
def executions(exchange: Sandbox) -> Callable[[], Counter[str]]:
    """Return a function that counts how often each order was executed, once nothing is under way."""

    def count() -> Counter[str]:
        exchange.settle()
        return Counter({row["clientOid"]: row["executions"] for row in exchange.ledger()["orders"]})

    return count
