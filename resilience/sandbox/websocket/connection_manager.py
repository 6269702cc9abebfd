"""Manages all connections and feeds: handshakes, updates and faults. Everything runs in the loop's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import connection_limits as limits
from . import order_updates
from .connection import ConnectionEnvironment, SandboxConnection
from .feeds import Feed, key_of
from .frames import WireAction
from .socket_faults import SocketFault
from .topics import access_of, channel_of

if TYPE_CHECKING:
    from ..exchange.order_store import Order

__all__ = ["PATHS", "ConnectionManager", "Handshake", "check_arg"]

PATHS = ("/v2/ws/public", "/v2/ws/private", "/v3/ws/public", "/v3/ws/private")
"""The paths that accept connections."""
Perform = Callable[[list[WireAction]], None]
"""Performs actions on the transport of one connection."""


class Handshake(NamedTuple):
    """The answer to a handshake: an HTTP status, and the faults of the connection."""

    status: int
    faults: tuple[SocketFault, ...] = ()


class ConnectionManager:
    """All connections and feeds of the exchange.

    Attributes:
        pace: sandbox seconds per real second.
        shared: what the connections share.
        connects: handshakes so far.
        connections: every connection so far, closed ones too.
        script: the faults of the next connections, each with its path, or None for any path.
    """

    def __init__(self, shared: ConnectionEnvironment, pace: float = 1.0) -> None:
        self.pace = pace
        self.shared = shared
        self.connects = 0
        self.connections: list[SandboxConnection] = []
        self.script: list[tuple[str | None, tuple[SocketFault, ...]]] = []
        self._performers: dict[int, Perform] = {}  # by the number of an open connection
        self._connect_rate = limits.RateCounter(*limits.CONNECT_RATE)
        self._running: list[Feed] = []

    def now(self) -> float:
        """Return sandbox time in seconds, which never goes backward."""
        # Monotonic, because a change of the wall clock must not end connections.
        return time.monotonic() * self.pace

    def handshake(self, path: str) -> Handshake:
        """Count a handshake and return its answer."""
        # Refused handshakes count too, as they do against the real limit.
        self.connects += 1
        path = path.partition("?")[0]
        if path not in PATHS:
            return Handshake(404)
        if self._is_full():
            return Handshake(429)
        faults = self._take_faults(path)
        refused = any(fault.name == "refuse" for fault in faults)
        return Handshake(503 if refused else 101, faults)

    def _take_faults(self, path: str) -> tuple[SocketFault, ...]:
        """Remove the faults of the next connection to a path from the script and return them."""
        # The first entry for this path or for any path; entries of other paths stay in order.
        entry = next((entry for entry in self.script if entry[0] in (None, path)), None)
        if entry is None:
            return ()
        self.script.remove(entry)
        return entry[1]

    def _is_full(self) -> bool:
        """Return whether a limit on connections is exceeded, and record it."""
        too_fast = self._connect_rate.exceeds(self.now())
        too_many = len(self._performers) >= limits.MAX_CONNECTIONS
        if not self.shared.limited or not (too_fast or too_many):
            return False
        rate = f"{limits.CONNECT_RATE[0]} handshakes in {limits.CONNECT_RATE[1]:g} s"
        self.shared.violations.append(f"more than {rate if too_fast else f'{limits.MAX_CONNECTIONS} open'}")
        return True

    def open_connection(self, path: str, demo: bool, perform: Perform) -> SandboxConnection:
        """Add a connection whose actions `perform` performs."""
        number = len(self.connections) + 1
        connection = SandboxConnection(number, path.partition("?")[0], self.shared, self.now(), demo=demo)
        self.connections.append(connection)
        self._performers[number] = perform
        return connection

    def close_connection(self, connection: SandboxConnection) -> None:
        """Record that a connection has ended."""
        connection.open = False
        self._performers.pop(connection.number, None)

    def push(self, action: str, arg: Mapping[str, Any], rows: Any, **fields: Any) -> int:
        """Send an update to every subscriber of an arg and return how many there are."""
        subscribers = 0
        for connection, perform in self._open_connections():
            if arg in connection.subscriptions:
                perform(connection.push(action, arg, rows, **fields))
                subscribers += 1
        return subscribers

    def apply_faults(self, faults: tuple[SocketFault, ...], path: str | None, number: int | None) -> int:
        """Apply faults to the open connections of a path, or to one, and return how many there are."""
        chosen = [
            (connection, perform)
            for connection, perform in self._open_connections()
            if path in (None, connection.path) and number in (None, connection.number)
        ]
        for connection, perform in chosen:
            perform(connection.apply_faults(faults, self.now()))
        return len(chosen)

    def publish_order(self, order: Order, status: str) -> None:
        """Send the new status of an order to the private order channels."""
        for connection, perform in self._open_connections():
            version = connection.version
            args = [arg for arg in connection.subscriptions if order_updates.covers(version, arg, order)]
            for arg in {key_of(arg): arg for arg in args}.values():  # once, however often it was subscribed to
                perform(connection.push("update", arg, [order_updates.update_row(version, order, status)]))

    def set_feed(self, arg: Mapping[str, Any], interval: float) -> None:
        """Start the updates of an arg, or change their interval; 0 stops them."""
        feed = self.shared.feeds.of(arg)
        feed.interval, feed.due = interval, self.now() + interval
        self._running = [running for running in self._running if running is not feed]
        if interval:
            self._running.append(feed)

    def push_due(self) -> float | None:
        """Push the updates that are due and return the sandbox time of the next one, or None without feeds."""
        for feed in self._running:
            # More than one update may be due when the pace is high or the machine was busy.
            while feed.due <= self.now():
                feed.due += feed.interval
                action, rows = feed.next(self.shared.clock.now())
                self.push(action, feed.arg, rows)
        return min((feed.due for feed in self._running), default=None)

    def _open_connections(self) -> list[tuple[SandboxConnection, Perform]]:
        # A list: performing an action may end a connection, and so change the dictionary.
        return [(self.connections[number - 1], perform) for number, perform in self._performers.items()]


def check_arg(arg: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of an arg that can be subscribed to.

    Raises:
        ValueError: it cannot.
    """
    version = "v3" if "topic" in arg else "v2"
    if not access_of(version, arg):
        raise ValueError(f"{dict(arg)}: there is no such {channel_of(arg) or 'channel'} to subscribe to")
    return dict(arg)
