"""Makes the errors of an outbox in PostgreSQL: what the server said, without credentials, and whether to try again."""

from __future__ import annotations

from typing import Any

from ..._printable import printable
from ...telemetry.redaction import redact
from ..outbox_store import OutboxBusyError

__all__ = ["OutboxServerError", "OutboxUnreachableError", "server_error", "unreachable"]

_PASSING = ("08", "40", "53", "57")
"""Classes of SQLSTATE that pass by themselves: connection, conflict, resources, operator."""
_PASSING_CODES = frozenset({"25006", "55P03"})
"""A server that has become a replica, until another is reached; a lock that was not free in time."""
_NO_RIGHT = "42501"
_NO_TABLE = "42P01"
_HINTS = {
    _NO_RIGHT: "; the user needs CREATE on the schema once, then SELECT, INSERT, UPDATE and DELETE on both tables",
    _NO_TABLE: "; the tables of the outbox were removed while it was in use",
}


class OutboxServerError(OSError):
    """The PostgreSQL server of an outbox refuses; the message names the server and has no credentials.

    Attributes:
        reason: what went wrong, without the server.
    """

    reason = ""


class OutboxUnreachableError(OutboxServerError, OutboxBusyError):
    """The PostgreSQL server of an outbox does not answer, or not now. It may a moment later."""


def unreachable(address: str, reason: str, *, may_be_stored: bool) -> OutboxUnreachableError:
    """Return the error of a server that does not answer.

    Args:
        address: the server, without credentials.
        reason: what went wrong.
        may_be_stored: a statement was under way.
    """
    error = OutboxUnreachableError(f"{address} cannot be used now: {reason}")
    error.may_be_stored, error.reason = may_be_stored, reason
    return error


def server_error(address: str, error: Any, *, is_connected: bool, is_sent: bool = True) -> OutboxServerError:
    """Return the error of a statement that failed, with what psycopg's error says.

    Args:
        address: the server, without credentials.
        error: psycopg's error.
        is_connected: the connection is still usable: the server itself has refused the statement.
        is_sent: a statement was sent.
    """
    code: str = getattr(error, "sqlstate", None) or ""
    # The primary message alone: the detail of a server's message may quote a whole row.
    text = _clean(getattr(getattr(error, "diag", None), "message_primary", None) or str(error))
    if code in _PASSING_CODES or code[:2] in _PASSING or not (is_connected or code):
        return unreachable(address, text, may_be_stored=is_sent and not code)
    return OutboxServerError(f"{address}: {text}{_HINTS.get(code, '')}")


def _clean(text: str) -> str:
    return printable(redact("; ".join(line.strip() for line in text.splitlines() if line.strip())))
