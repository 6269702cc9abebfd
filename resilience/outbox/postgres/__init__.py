"""Stores the writes of an outbox in PostgreSQL, where several processes share them and adopt those of a dead one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .postgres_store import PostgresStore

__all__ = ["is_server_url", "open_server"]

_SCHEMES = ("postgresql://", "postgres://")
_MISSING = "an outbox in PostgreSQL needs psycopg: pip install 'resilience-middleware[postgres]'"


def is_server_url(path: Any) -> bool:
    """Return whether the path of an outbox is the URL of a PostgreSQL server."""
    return isinstance(path, str) and path.lower().startswith(_SCHEMES)


def open_server(url: str, lease: float) -> PostgresStore:
    """Connect to the server of this URL and create the tables that are missing.

    Raises:
        OSError: the server cannot be reached, or does not let this user.
        ValueError: the URL is invalid, or its tables were made by a newer version.
        ModuleNotFoundError: the extra `postgres` is not installed.
    """
    # Imported with the first server: a program with a file, or with no outbox, needs neither psycopg nor the thread.
    try:
        from .postgres_store import PostgresStore
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("psycopg", "psycopg_binary", "psycopg_c") and error.name:
            raise
        raise ModuleNotFoundError(_MISSING, name="psycopg") from error
    return PostgresStore(url, lease)
