"""Provides a schema of a PostgreSQL server, and what a test sees and does there beside the outbox."""

from __future__ import annotations

from typing import Any

from benchmarks.postgres_server import PostgresServer


class Database:
    """One schema. Used by one thread.

    Attributes:
        url: the URL of an outbox in it.
        server: the server.
    """

    def __init__(self, server: PostgresServer, schema: str) -> None:
        self.server = server
        self.schema = schema
        self.url = server.url(schema=schema)
        self._connection: Any = None
        self.ask(f"CREATE SCHEMA {schema}")

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute a statement, as nobody's outbox, and return its rows."""
        import psycopg

        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self.url, autocommit=True)
        cursor = self._connection.execute(statement)
        return cursor.fetchall() if cursor.description else []

    def end_leases(self) -> None:
        """Let every lease be over, as if its owner had died long ago."""
        self.ask("UPDATE resilience_writes SET lease_until = clock_timestamp() - interval '1 second'")

    @staticmethod
    def end_leases_of(url: str) -> None:
        """Let every lease in this database be over, over a connection of its own: in a forked child."""
        import psycopg

        with psycopg.connect(url) as connection:
            connection.execute("UPDATE resilience_writes SET lease_until = clock_timestamp() - interval '1 second'")

    def close(self) -> None:
        """Remove the schema."""
        if self._connection is not None:
            self._connection.close()
