"""The handle on the sandbox's sockets, for tests and drills; commands are carried out in the thread of the wires."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...integrations._websockets_extra import require_websockets, websockets_installed
from .connection import Connection
from .connections import PATHS, Venue, checked
from .loop_thread import Sleeper
from .socket_faults import now_of, script_of

if TYPE_CHECKING:
    from ..exchange.order_store import Order
    from ..server import Sandbox

__all__ = ["Sockets"]

_BACKLOG = 256


class Sockets:
    """What the sandbox's WebSocket saw, and what it is to do. Safe across threads.

    Without the library `websockets` (extra `streams`) nothing listens, and commands raise `ModuleNotFoundError`.

    Example:
        >>> from resilience.sandbox import Sandbox
        >>> with Sandbox() as exchange:
        ...     exchange.sockets.script("refuse", "", "close:1012")
        ...     exchange.sockets.connects
        0
    """

    def __init__(self, sandbox: Sandbox, host: str, pace: float, limited: bool) -> None:
        self._venue = Venue(sandbox, pace, limited)
        self._port = 0
        self._sleeper_or_none: Sleeper | None = None
        if websockets_installed():
            listener = socket.create_server((host, 0), backlog=_BACKLOG)
            self._port = int(listener.getsockname()[1])
            self._sleeper_or_none = Sleeper(self._venue, listener)

    @property
    def port(self) -> int:
        """The port that it listens on.

        Raises:
            ModuleNotFoundError: `websockets` is not installed.
        """
        require_websockets()
        return self._port

    @property
    def _sleeper(self) -> Sleeper:
        """The thread of the sockets.

        Raises:
            ModuleNotFoundError: `websockets` is not installed.
        """
        if self._sleeper_or_none is None:
            require_websockets()
        assert self._sleeper_or_none is not None
        return self._sleeper_or_none

    @property
    def connections(self) -> list[Connection]:
        """Every connection so far, in order, closed ones too."""
        return list(self._venue.connections)

    @property
    def connects(self) -> int:
        """How many handshakes there were, refused ones too."""
        return self._venue.connects

    @property
    def violations(self) -> list[str]:
        """Every limit that a client exceeded, as text."""
        return list(self._venue.shared.violations)

    def push(self, arg: Mapping[str, Any], rows: Any, *, action: str = "update", **extra: Any) -> int:
        """Tell every connection that is subscribed to an arg.

        Args:
            arg: as it was subscribed to.
            rows: the `data` of the frame.
            action: `update` or `snapshot`.
            extra: further fields of the frame.

        Returns:
            how many connections are subscribed.
        """
        return self._sleeper.call(lambda: self._venue.push(action, arg, rows, **extra))

    def feed(self, arg: Mapping[str, Any], *, every: float = 1.0) -> None:
        """Begin numbered updates without a gap, whether anybody is subscribed or not.

        Args:
            arg: what they are of.
            every: seconds of sandbox time between two.

        Raises:
            ValueError: there is no such arg, or the interval is none.
        """
        if not 0 < every < float("inf"):
            raise ValueError(f"every: expected seconds above 0, got {every!r}")
        known = checked(arg)
        self._sleeper.call(lambda: self._begin(known, every))

    def stop_feed(self, arg: Mapping[str, Any]) -> None:
        """End the updates of an arg; their numbers go on if they begin again."""
        self._sleeper.call(lambda: self._venue.feed(arg, 0.0))

    def last(self, arg: Mapping[str, Any]) -> int:
        """Return the number of an arg's last update; 0 before the first."""
        return self._venue.shared.feeds.last(arg)

    def script(self, *faults: str, path: str | None = None) -> None:
        """Say which faults the next connections meet, one text each, in order; an empty one is none.

        Args:
            faults: one text a connection.
            path: count the connections of this path alone.

        Raises:
            FaultError: one is no fault of sockets; nothing changes.
            ValueError: there is no such path.
        """
        told = [(_path(path), entry) for entry in script_of(faults)]
        self._sleeper.call(lambda: self._venue.script.extend(told))

    def fault(self, name: str, *, path: str | None = None, number: int | None = None) -> int:
        """Let a fault happen now on the open connections.

        Args:
            name: of the fault.
            path: those of one path alone.
            number: the connection of that number alone.

        Returns:
            how many connections met it.

        Raises:
            FaultError: it is no fault of open connections.
            ValueError: there is no such path.
        """
        faults = now_of(name)
        where = _path(path)
        return self._sleeper.call(lambda: self._venue.fault(faults, where, number))

    def tell_order(self, order: Order, status: str) -> None:
        """Tell the private order channels what became of an order, without waiting."""
        if self._sleeper_or_none is not None:
            self._sleeper_or_none.post(self._venue.tell_order, order, status)

    def close(self) -> None:
        """End every connection and the thread."""
        if self._sleeper_or_none is not None:
            self._sleeper_or_none.close()

    def _begin(self, arg: dict[str, Any], every: float) -> None:
        self._venue.feed(arg, every)
        self._sleeper.changed()


def _path(path: str | None) -> str | None:
    if path not in (None, *PATHS):
        raise ValueError(f"path: expected one of {', '.join(PATHS)}, got {path!r}")
    return path
