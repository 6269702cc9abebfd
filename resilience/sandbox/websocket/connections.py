"""All connections together: who may come in, who is told what, and the feeds. It runs in the thread of the wires."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from . import connection_limits as limits
from . import order_updates as orders
from .connection import Connection, Shared
from .feeds import Feed, key_of
from .frames import Act
from .socket_faults import SocketFault
from .topics import kind_of, name_of

if TYPE_CHECKING:
    from ..exchange.order_store import Order
    from ..server import Sandbox

__all__ = ["PATHS", "Entry", "Venue", "checked"]

PATHS = ("/v2/ws/public", "/v2/ws/private", "/v3/ws/public", "/v3/ws/private")
"""Where connections are accepted."""
Perform = Callable[[list[Act]], None]


class Entry(NamedTuple):
    """How a handshake is answered: an HTTP status, and the faults that the connection meets."""

    status: int
    faults: tuple[SocketFault, ...] = ()


class Venue:
    """The exchange as its sockets know it.

    Attributes:
        pace: sandbox seconds in one real second.
        connects: handshakes so far.
        connections: every connection so far, closed ones too.
        script: the faults of the next connections, each with the path that it is for, or None for any.
    """

    def __init__(self, sandbox: Sandbox, pace: float, limited: bool) -> None:
        self.pace = pace
        self.shared = Shared(sandbox, limited)
        self.connects = 0
        self.connections: list[Connection] = []
        self.script: list[tuple[str | None, tuple[SocketFault, ...]]] = []
        self._performers: dict[int, Perform] = {}
        self._tally = limits.Tally(*limits.CONNECTS)
        self._running: list[Feed] = []

    def now(self) -> float:
        """Return sandbox time, which only ever goes forward."""
        return time.monotonic() * self.pace

    def enter(self, path: str) -> Entry:
        """Count a handshake and say how it is answered."""
        self.connects += 1
        path = path.partition("?")[0]
        if path not in PATHS:
            return Entry(404)
        if self._is_full():
            return Entry(429)
        due = next((entry for entry in self.script if entry[0] in (None, path)), None)
        if due is not None:
            self.script.remove(due)
        faults = due[1] if due else ()
        refused = any(fault.name == "refuse" for fault in faults)
        return Entry(503 if refused else 101, faults)

    def _is_full(self) -> bool:
        """Return whether a limit on connections is exceeded, and remember it."""
        many = self._tally.over(self.now())
        crowded = len(self._performers) >= limits.MOST_OPEN
        if not self.shared.limits or not (many or crowded):
            return False
        what = f"{limits.CONNECTS[0]} handshakes in {limits.CONNECTS[1]:g} s" if many else f"{limits.MOST_OPEN} open"
        self.shared.violations.append(f"more than {what}")
        return True

    def begin(self, path: str, demo: bool, perform: Perform) -> Connection:
        """Add a connection whose acts `perform` carries out."""
        number = len(self.connections) + 1
        connection = Connection(number, path.partition("?")[0], self.shared, self.now(), demo=demo)
        self.connections.append(connection)
        self._performers[number] = perform
        return connection

    def end(self, connection: Connection) -> None:
        """Note that a connection has ended."""
        connection.open = False
        self._performers.pop(connection.number, None)

    def push(self, action: str, arg: Mapping[str, Any], rows: Any, **extra: Any) -> int:
        """Tell every subscriber of an arg; return how many there are."""
        told = 0
        for connection, perform in self._open():
            if arg in connection.subscriptions:
                perform(connection.push(action, arg, rows, **extra))
                told += 1
        return told

    def fault(self, faults: tuple[SocketFault, ...], path: str | None, number: int | None) -> int:
        """Let faults happen on the open connections, those of one path, or one; return how many there are."""
        met = [(one, do) for one, do in self._open() if path in (None, one.path) and number in (None, one.number)]
        for connection, perform in met:
            perform(connection.meet(faults, self.now()))
        return len(met)

    def tell_order(self, order: Order, status: str) -> None:
        """Tell the private order channels what became of an order."""
        for connection, perform in self._open():
            version = connection.version
            args = [arg for arg in connection.subscriptions if orders.tells(version, arg, order)]
            for arg in {key_of(arg): arg for arg in args}.values():  # once, however often it was subscribed to
                perform(connection.push("update", arg, [orders.row_of(version, order, status)]))

    def feed(self, arg: Mapping[str, Any], every: float) -> None:
        """Begin the numbered updates of an arg, or change their interval; 0 stops them."""
        feed = self.shared.feeds.of(arg)
        feed.every, feed.due = every, self.now() + every
        self._running = [one for one in self._running if one is not feed]
        if every:
            self._running.append(feed)

    def beat(self) -> float | None:
        """Push what the feeds have due and return the sandbox time of the next update, or None."""
        for feed in self._running:
            while feed.due <= self.now():
                feed.due += feed.every
                action, rows = feed.next()
                self.push(action, feed.arg, rows)
        return min((feed.due for feed in self._running), default=None)

    def _open(self) -> list[tuple[Connection, Perform]]:
        return [(self.connections[number - 1], perform) for number, perform in self._performers.items()]


def checked(arg: Mapping[str, Any]) -> dict[str, Any]:
    """Return an arg that names something there is.

    Raises:
        ValueError: it does not.
    """
    version = "v3" if "topic" in arg else "v2"
    if not kind_of(version, arg):
        raise ValueError(f"{dict(arg)}: there is no {name_of(arg) or 'channel'} of that kind to subscribe to")
    return dict(arg)
