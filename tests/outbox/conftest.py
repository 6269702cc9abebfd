"""Provides an outbox in a folder of its own, and one in a schema of its own of a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from benchmarks.postgres_server import NoServerError, PostgresServer
from resilience.outbox import Outbox
from tests.outbox.database import Database

_numbers = count()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of an outbox that does not exist yet."""
    return tmp_path / "bot.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    """Open an outbox at that path."""
    box = Outbox(path)
    yield box
    box.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Start a PostgreSQL server, one for each worker."""
    pytest.importorskip("psycopg", reason="needs the extra postgres")
    try:
        server = PostgresServer()
    except NoServerError as error:
        pytest.skip(f"no PostgreSQL server can be started: {error}")
    yield server
    server.close()


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    """Return an empty schema on that server."""
    found = Database(postgres, f"test_{next(_numbers)}")
    yield found
    found.close()


@pytest.fixture
def open_outbox(database: Database) -> Iterator[Callable[..., Outbox]]:
    """Return a function that opens an outbox in that schema, as another process would."""
    opened: list[Outbox] = []

    def open_one(*, lease: float = 30.0) -> Outbox:
        opened.append(Outbox(database.url, lease=lease))
        return opened[-1]

    yield open_one
    for box in opened:
        box.close()
