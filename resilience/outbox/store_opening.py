"""Opens the store that an outbox is given: a file by its path, a PostgreSQL server by its URL."""

from __future__ import annotations

import os
from math import isfinite

from ..telemetry.concealment import SecretText
from .outbox_store import OutboxStore
from .postgres import is_server_url, open_server
from .write_table import WriteTable

__all__ = ["open_store", "without_password"]

_LONGEST_LEASE = 86400.0  # seconds: whoever sets more has another unit in mind


def without_password(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """Return a path as it is, and a URL as a string whose `repr` shows nothing."""
    return SecretText(path) if is_server_url(path) else path


def open_store(path: str | os.PathLike[str], lease: float) -> OutboxStore:
    """Open the store of this path or URL.

    Args:
        path: the path of a file, or a URL that begins with `postgresql://`.
        lease: seconds.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is no outbox, or the path, the URL or the lease is invalid.
        ModuleNotFoundError: the extra `postgres` is not installed.
    """
    if isinstance(lease, bool) or not isinstance(lease, (int, float)):
        raise TypeError(f"lease is a number of seconds, not {lease!r}")
    if not isfinite(lease) or not 0 < lease <= _LONGEST_LEASE:
        raise ValueError(f"lease: {lease!r} is out of range (above 0 to {_LONGEST_LEASE:g} seconds)")
    text = os.fspath(path)
    return open_server(text, float(lease)) if is_server_url(text) else WriteTable(path)
