"""Serves the state of running policies over HTTP on loopback, and takes the actions that a person sends.

`Policies.serve_snapshot` needs the standard library alone; `serve` adds a page, and needs the extra `console`. A bot
that does not serve imports nothing but this file.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .served_policies import ServedPolicies
    from .snapshot_server import SnapshotServer
    from .web_server import Console

__all__ = ["serve", "serve_snapshot", "start_console"]

_MISSING = "the console needs Starlette and uvicorn: pip install 'resilience-middleware[console]'"


def serve(policies: ServedPolicies, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None) -> Console:
    """Serve a page that shows what needs a person, what is in force now and what happened lately.

    It runs in a daemon thread. It has the paths of `Policies.serve_snapshot` too, so that `resilience top` can read it.

    Args:
        policies: the `Policies` of the bot.
        host: a loopback address; nobody else can connect.
        port: TCP port; 0 takes any free one.
        token: what the page asks for before it changes something, and before it shows anything. If it is None, a random
            token is made and printed on standard error, once, with the URL; reading needs no token then.

    Returns:
        The running console, with `.url`, `.token` and `.close()`; it is a context manager too. A forked child does not
        serve: it must call this function again.

    Raises:
        ModuleNotFoundError: Starlette or uvicorn is not installed.
        OSError: the port is taken or not allowed; the message names it.
        ValueError: an argument is wrong, such as a host that is not a loopback address.
    """
    console = start_console(policies, host=host, port=port, token=token)
    if token is None:
        print(f"resilience console: {console.url} (token for actions: {console.token})", file=sys.stderr, flush=True)
    return console


def start_console(policies: ServedPolicies, *, host: str, port: int, token: str | None) -> Console:
    """Do what `serve` does, and print nothing."""
    try:
        from .web_server import Console
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn"):
            raise
        raise ModuleNotFoundError(_MISSING, name=error.name) from None
    return Console(policies, host=host, port=port, token=token)


def serve_snapshot(
    policies: ServedPolicies, *, host: str = "127.0.0.1", port: int = 0, token: str | None = None
) -> SnapshotServer:
    """Serve the state of these policies; see `Policies.serve_snapshot`."""
    from .snapshot_server import SnapshotServer

    return SnapshotServer(policies, host=host, port=port, token=token)
