"""Bounds what the connections of a sync `httpx` transport read and write: no longer than the attempt lasts.

The timeouts of httpx bound the silence between bytes. So a server that sends its headers a byte a second would hold
its caller for as long as it likes. Each read on the network gets the time that is left instead, if that is shorter.
What is read outside an attempt, such as a body that the caller streams, is not bounded.
"""

from __future__ import annotations

from typing import Any

from .._time_limits import remaining_time, shorter_timeout

__all__ = ["bound_reads"]


def bound_reads(transport: Any) -> None:
    """Bound the connections that a transport opens from now on. Does nothing for one without a pool of httpx's own."""
    pool: Any = getattr(transport, "_pool", None)  # httpx and its pool show neither
    backend = getattr(pool, "_network_backend", None)
    if backend is not None and not isinstance(backend, _BoundedBackend):
        pool._network_backend = _BoundedBackend(backend)


class _BoundedBackend:
    """Opens connections as another backend does, and bounds them; everything else is the other's own."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        return _BoundedNetworkStream(self._backend.connect_tcp(*args, **kwargs))

    def connect_unix_socket(self, *args: Any, **kwargs: Any) -> Any:
        return _BoundedNetworkStream(self._backend.connect_unix_socket(*args, **kwargs))


class _BoundedNetworkStream:
    """A connection; everything but reading, writing and TLS is that of the stream beneath."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, max_bytes: int, timeout: float | None = None) -> Any:
        return self._stream.read(max_bytes, _time_left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> Any:
        return self._stream.write(buffer, _time_left(timeout))

    def start_tls(self, *args: Any, **kwargs: Any) -> Any:
        return _BoundedNetworkStream(self._stream.start_tls(*args, **kwargs))


def _time_left(timeout: float | None) -> float | None:
    left = remaining_time()
    return timeout if left is None else shorter_timeout(timeout, left.other)
