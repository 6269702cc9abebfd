"""Creates the tables of an outbox in PostgreSQL, and brings those of an older version up to date, once.

Each migration runs in the transaction that records its version, under an advisory lock: processes that start together
wait for the first. A database that is up to date is only read, so that its user needs no right to create tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["MIGRATIONS", "migrate"]

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE resilience_writes (
            key text NOT NULL,
            operation text NOT NULL,
            arguments text NOT NULL,
            stamps double precision[] NOT NULL,
            state text NOT NULL CHECK (state IN ('open', 'done', 'failed')),
            changed_at timestamptz NOT NULL,
            account text,
            host text,
            process integer NOT NULL,
            format integer NOT NULL,
            key_missing boolean NOT NULL,
            machine text NOT NULL,
            window_seconds double precision,
            owner text NOT NULL,
            epoch bigint NOT NULL,
            lease_until timestamptz NOT NULL,
            token text NOT NULL,
            PRIMARY KEY (key, operation)
        )
        """,
        "CREATE INDEX resilience_writes_open ON resilience_writes (changed_at) WHERE state = 'open'",
        "CREATE INDEX resilience_writes_settled ON resilience_writes (changed_at) WHERE state <> 'open'",
    ),
)
"""The statements of each version, from 1. One that has been released is never changed: a change is a new one."""
_LOCK = 0x7265_736F_7574_0001  # any number that no other program is likely to lock
_VERSIONS = """
    CREATE TABLE IF NOT EXISTS resilience_outbox_versions (version integer PRIMARY KEY, applied_at timestamptz NOT NULL)
"""


async def migrate(connection: Any, address: str, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring the tables that the connection's search path leads to up to date.

    Args:
        connection: a connection of psycopg that commits each statement.
        address: the server, for messages.
        migrations: the statements of each version.

    Raises:
        ValueError: the tables are those of a newer version.
    """
    if await _version(connection, address, len(migrations)) == len(migrations):
        return
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        # Another process may have been faster. This statement locks, and so sees it; `to_regclass` would not.
        await connection.execute(_VERSIONS)
        version = await _version(connection, address, len(migrations))
        for number, statements in enumerate(migrations[version:], version + 1):
            for statement in statements:
                await connection.execute(statement)
            await connection.execute("INSERT INTO resilience_outbox_versions VALUES (%s, clock_timestamp())", (number,))


async def _version(connection: Any, address: str, known: int) -> int:
    """Return the version of the tables; 0 where there are none."""
    found = await connection.execute("SELECT to_regclass('resilience_outbox_versions') IS NOT NULL")
    if not (await found.fetchone())[0]:
        return 0
    found = await connection.execute("SELECT coalesce(max(version), 0) FROM resilience_outbox_versions")
    version: int = (await found.fetchone())[0]
    if version > known:
        raise ValueError(
            f"{address}: the outbox was written by a newer version of resilience (tables of version {version}, known "
            f"up to {known})"
        )
    return version
