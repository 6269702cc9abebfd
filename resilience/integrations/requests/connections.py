"""Guards the connections of a `requests` adapter: skips interim answers, and does not reuse a doubtful connection.

Python's `http.client` returns a `103 Early Hints` as if it were the answer, and every later request on that connection
gets the answer of the one before. A guarded connection skips interim answers, as RFC 9110 (section 15.2) requires, and
is closed after one, as well as after an answer that proved unreadable: the rest of it may still arrive.

While its attempt is under way, a guarded connection reads no longer than the attempt lasts: the timeout of requests
bounds only the silence between bytes, so that a server that sends a byte a second would hold its caller for ever. A
body that the caller streams is read after its attempt, and is not bounded.

It also records whether anything was sent. An error raised while a connection is made, such as that of a TLS handshake,
is then known to be harmless, whatever its class says.
"""

from __future__ import annotations

import http.client
from functools import partial
from socket import SocketIO
from typing import Any

from .sent_bytes import CURRENT, SentBytes, recording_sent_bytes

__all__ = ["SentBytes", "guard_connections", "guard_manager", "recording_sent_bytes"]


def guard_connections(adapter: Any) -> None:
    """Guard the connections of an adapter, those through proxies too. Does nothing for an adapter without a pool."""
    manager = getattr(adapter, "poolmanager", None)
    if manager is None or getattr(adapter, "_resilience_guards", None) is manager:
        return
    guard_manager(manager)
    for proxy_manager in getattr(adapter, "proxy_manager", {}).values():
        guard_manager(proxy_manager)
    adapter.proxy_manager_for = partial(_proxy_manager_for, adapter)
    adapter._resilience_guards = manager  # an adapter that is unpickled has another one


def _proxy_manager_for(adapter: Any, proxy: str, **options: Any) -> Any:
    manager = type(adapter).proxy_manager_for(adapter, proxy, **options)
    guard_manager(manager)
    return manager


def guard_manager(manager: Any) -> None:
    """Guard the pools that a manager of urllib3 has and those that it will make."""
    classes = getattr(manager, "pool_classes_by_scheme", None)
    # Pools without `keys` are those of urllib3-future, which takes the place of urllib3 once niquests is installed: its
    # connections are not those of `http.client`.
    if classes is None or not hasattr(manager.pools, "keys"):
        return
    manager.pool_classes_by_scheme = {scheme: _guarded(pool, _GuardedPool) for scheme, pool in classes.items()}
    for key in list(manager.pools.keys()):
        pool = manager.pools.get(key)
        if pool is not None:
            pool.__class__ = _guarded(type(pool), _GuardedPool)


_CLASSES: dict[type, type] = {}
"""A class of urllib3 → the same class with a guard before it."""


def _guarded(original: type, guard: type) -> type:
    """Return the class with its guard before it, or the class itself if it has one."""
    if issubclass(original, guard):
        return original
    if original not in _CLASSES:
        _CLASSES[original] = type(original.__name__, (guard, original), {})
    return _CLASSES[original]


class _GuardedPool:
    """A pool whose connections are guarded when they are taken from it.

    The class of a connection is changed then, and not where the pool makes it: what replaces a pool's connection
    class, as recorders of HTTP traffic do, keeps working.
    """

    def _get_conn(self, *args: Any, **options: Any) -> Any:
        connection = super()._get_conn(*args, **options)  # type: ignore[misc]  # the pool's
        if isinstance(connection, http.client.HTTPConnection):
            connection.__class__ = _guarded(type(connection), _GuardedConnection)
        if getattr(connection, "is_spoiled", False):
            connection.close()  # it connects anew for this request
        return connection

    def _put_conn(self, connection: Any) -> None:
        if getattr(connection, "is_spoiled", False):
            connection.close()  # it connects anew for the next request
        super()._put_conn(connection)  # type: ignore[misc]  # the pool's


class _BoundedSocketIO(SocketIO):
    """The reading end of a guarded connection: it stops when its attempt is over."""

    def readinto(self, buffer: Any) -> Any:
        """Read into a buffer; see `SentBytes.read_within`."""
        sent, read = CURRENT.get(), partial(super().readinto, buffer)
        return read() if sent is None else sent.read_within(self._sock, read)  # type: ignore[attr-defined]


class _FinalResponse(http.client.HTTPResponse):
    """A response of `http.client` that skips interim answers."""

    skipped = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        raw = getattr(self.fp, "raw", None)
        if type(raw) is SocketIO:  # not a stand-in, as recorders of HTTP traffic have it
            raw.__class__ = _BoundedSocketIO

    def _read_status(self) -> tuple[str, int, str]:
        # `begin` calls this in a loop that skips `100 Continue`, and takes every other answer for the final one.
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in the stubs
            if status == 100:
                self.skipped = True
            if not 101 < status < 200:
                return version, status, reason
            self.skipped = True
            http.client.parse_headers(self.fp)


class _GuardedConnection(http.client.HTTPConnection):
    """A connection that records what it sends, and that says when it must not be used again.

    Attributes:
        is_spoiled: the pool closes it before it is used again.
    """

    response_class = _FinalResponse
    is_spoiled = False
    _is_connecting = False

    def putrequest(self, *args: Any, **options: Any) -> None:
        """Begin a request."""
        _note_begun(self)
        super().putrequest(*args, **options)

    def connect(self) -> None:
        """Connect; what is sent for that, to a proxy for example, is no part of a request."""
        _note_begun(self)
        self.is_spoiled = False
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False

    def send(self, data: Any) -> None:
        """Send bytes, and record that."""
        if not self._is_connecting:
            if self.sock is None and self.auto_open:
                self.connect()
            sent = CURRENT.get()
            if sent is not None:
                sent.check_isolation()
                sent.has_sent = True
        super().send(data)

    def getresponse(self, *args: Any, **options: Any) -> Any:
        """Return the final response."""
        response = super().getresponse(*args, **options)
        inner = getattr(response, "_original_response", response)  # urllib3 2 wraps it
        if getattr(inner, "skipped", False) or inner.status < 200:
            self.is_spoiled = True
        return response


def _note_begun(connection: Any) -> None:
    sent = CURRENT.get()
    if sent is not None:
        sent.has_begun, sent.connection = True, connection
