"""Serves the state of running policies over HTTP on loopback, and takes the actions that a person sends.

A bot that does not serve imports nothing but this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .served_policies import ServedPolicies
    from .snapshot_server import SnapshotServer

__all__ = ["serve_snapshot"]


def serve_snapshot(
    policies: ServedPolicies, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None
) -> SnapshotServer:
    """Serve the state of these policies; see `Policies.serve_snapshot`."""
    from .snapshot_server import SnapshotServer

    return SnapshotServer(policies, host=host, port=port, token=token)
