"""Provides the handle on the sandbox's sockets, for tests and drills; its commands run in the loop's thread."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ...integrations._websockets_extra import require_websockets, websockets_installed
from .connection import ConnectionEnvironment, SandboxConnection
from .connection_manager import PATHS, ConnectionManager, check_arg
from .loop_thread import LoopThread, Serve
from .socket_faults import parse_open_connection_faults, parse_socket_faults

if TYPE_CHECKING:
    from ..exchange.auth import Authenticator
    from ..exchange.clock import ExchangeClock
    from ..exchange.exchange import Exchange
    from ..exchange.order_store import Order

__all__ = ["Sockets"]

_BACKLOG = 256


class Sockets:
    """The connections of the sandbox's WebSocket, and the controls of their faults. Safe across threads.

    Without the library `websockets` (extra `streams`) nothing listens, and commands raise `ModuleNotFoundError`.

    Example:
        >>> from resilience.sandbox import Sandbox
        >>> with Sandbox() as exchange:
        ...     exchange.sockets.script("refuse", "", "close:1012")
        ...     exchange.sockets.connects
        0
    """

    def __init__(
        self,
        exchange: Exchange,
        clock: ExchangeClock,
        authenticator: Authenticator,
        host: str,
        *,
        pace: float = 1.0,
        limits: bool = True,
    ) -> None:
        """Listen on a free port, if `websockets` is installed.

        Args:
            exchange: the state of the exchange.
            clock: the exchange's clock.
            authenticator: checks logins.
            host: address to listen on.
            pace: sandbox seconds per real second.
            limits: whether the limits on connections, frames and subscriptions apply.
        """
        self._manager = ConnectionManager(ConnectionEnvironment(exchange, clock, authenticator, limits), pace)
        self._port = 0
        self._thread_if_any: LoopThread | None = None
        if websockets_installed():
            # Bound here, so that `port` is known before the loop runs; the backlog keeps clients that come earlier.
            listener = socket.create_server((host, 0), backlog=_BACKLOG)
            self._port = int(listener.getsockname()[1])
            self._thread_if_any = LoopThread(listener, self._load_serve)

    @property
    def port(self) -> int:
        """The port that it listens on.

        Raises:
            ModuleNotFoundError: `websockets` is not installed.
        """
        require_websockets()
        return self._port

    @property
    def _thread(self) -> LoopThread:
        if self._thread_if_any is None:
            require_websockets()
        assert self._thread_if_any is not None
        return self._thread_if_any

    @property
    def connections(self) -> list[SandboxConnection]:
        """Every connection so far, in order, closed ones too."""
        # A copy: the loop's thread appends while the caller iterates.
        return list(self._manager.connections)

    @property
    def connects(self) -> int:
        """How many handshakes there were, refused ones too."""
        return self._manager.connects

    @property
    def violations(self) -> list[str]:
        """Every limit that a client exceeded, as text."""
        return list(self._manager.shared.violations)

    def push(self, arg: Mapping[str, Any], rows: Any, *, action: str = "update", **extra: Any) -> int:
        """Send a frame to every connection that is subscribed to an arg.

        Args:
            arg: as it was subscribed to.
            rows: the `data` of the frame.
            action: `update` or `snapshot`.
            extra: further fields of the frame.

        Returns:
            how many connections are subscribed.
        """
        return self._thread.call(lambda: self._manager.push(action, arg, rows, **extra))

    def feed(self, arg: Mapping[str, Any], *, every: float = 1.0) -> None:
        """Start numbered updates without a gap, with or without subscribers.

        Args:
            arg: the channel or topic of the updates.
            every: seconds of sandbox time between two updates.

        Raises:
            ValueError: the arg does not exist, or the interval is out of range.
        """
        if not 0 < every < float("inf"):
            raise ValueError(f"every: expected seconds above 0, got {every!r}")
        # Checked in the caller's thread, where the error belongs, and not in the loop's.
        checked_arg = check_arg(arg)

        def start() -> None:
            self._manager.set_feed(checked_arg, every)
            self._thread.notify_changed()

        self._thread.call(start)

    def stop_feed(self, arg: Mapping[str, Any]) -> None:
        """Stop the updates of an arg; when they are started again, their numbers continue."""
        self._thread.call(lambda: self._manager.set_feed(arg, 0.0))

    def last(self, arg: Mapping[str, Any]) -> int:
        """Return the number of an arg's last update; 0 before the first."""
        return self._manager.shared.feeds.last(arg)

    def script(self, *faults: str, path: str | None = None) -> None:
        """Set the faults of the next connections, in order.

        Args:
            faults: one string per connection; an empty one means no fault.
            path: count the connections of this path alone.

        Raises:
            FaultError: an entry is not a fault of sockets; nothing changes.
            ValueError: the path does not exist.
        """
        entries = [(_check_path(path), parse_socket_faults(text)) for text in faults]
        self._thread.call(lambda: self._manager.script.extend(entries))

    def fault(self, name: str, *, path: str | None = None, number: int | None = None) -> int:
        """Apply a fault to the open connections now.

        Args:
            name: of the fault.
            path: only connections of this path.
            number: only the connection with this number.

        Returns:
            how many connections it was applied to.

        Raises:
            FaultError: it is not a fault of open connections.
            ValueError: the path does not exist.
        """
        faults = parse_open_connection_faults(name)
        checked_path = _check_path(path)
        return self._thread.call(lambda: self._manager.apply_faults(faults, checked_path, number))

    def publish_order(self, order: Order, status: str) -> None:
        """Send the new status of an order to the private order channels, without waiting."""
        if self._thread_if_any is not None:
            self._thread_if_any.post(self._manager.publish_order, order, status)

    def close(self) -> None:
        """End every connection and the thread."""
        if self._thread_if_any is not None:
            self._thread_if_any.close()

    def _load_serve(self) -> Serve:
        # By name: an import statement would import `websockets`, an optional extra, with this module.
        return partial(import_module(f"{__package__}.accept_loop").serve, self._manager)


def _check_path(path: str | None) -> str | None:
    if path not in (None, *PATHS):
        raise ValueError(f"path: expected one of {', '.join(PATHS)}, got {path!r}")
    return path
