"""Listens for the sockets by which orders are placed, on a port of their own; it sleeps until a client comes."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from ...integrations._websockets_extra import require_websockets, websockets_installed
from .loop_thread import LoopThread, Serve

if TYPE_CHECKING:
    from ..dialects.order_socket import OrderSocket
    from ..exchange.auth import Authenticator
    from ..exchange.clock import ExchangeClock
    from ..rest.answers import Reply

__all__ = ["OrderSockets", "SocketEnvironment"]

_BACKLOG = 256


class SocketEnvironment(NamedTuple):
    """What all connections share: the dialect, the credentials, the clock, and what answers a request."""

    dialect: OrderSocket
    account: Authenticator
    clock: ExchangeClock
    respond: Callable[[str, str, str, Mapping[str, str]], Reply]


class OrderSockets:
    """The socket for orders of one exchange. Safe across threads.

    Without the library `websockets` (extra `streams`) nothing listens.
    """

    def __init__(self, environment: SocketEnvironment, host: str) -> None:
        """Listen on a free port, if `websockets` is installed."""
        self._environment, self._host = environment, host
        self._thread: LoopThread | None = None
        self._port = 0
        if websockets_installed():
            listener = socket.create_server((host, 0), backlog=_BACKLOG)
            self._port = int(listener.getsockname()[1])
            self._thread = LoopThread(listener, self._load_serve)

    @property
    def address(self) -> str:
        """The address of the sockets.

        Raises:
            ModuleNotFoundError: `websockets` is not installed.
        """
        require_websockets()
        return f"ws://{self._host}:{self._port}"

    @property
    def ccxt_urls(self) -> Any:
        """What `urls["api"]["ws"]` of the class of ccxt.pro must be; None where nothing listens."""
        return None if self._thread is None else self._environment.dialect.ccxt_urls(self.address)

    def close(self) -> None:
        """End every connection and the thread."""
        if self._thread is not None:
            self._thread.close()

    def _load_serve(self) -> Serve:
        # By name: an import statement would import `websockets`, an optional extra, with this module.
        return partial(import_module(f"{__package__}.order_connection").serve, self._environment)
