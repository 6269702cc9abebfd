"""Reads and judges the answer to a write of `httpx` while its connection is still the attempt's own.

If the answer proves nothing, its connection is closed before it returns to the pool: the rest of a body that was cut
short may still arrive, and would be read as the answer to the next request.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx

from .._attempt_options import AttemptOptions
from .._time_limits import AttemptEnd

__all__ = ["bound_body", "judge_answer", "judge_answer_async"]


class _BoundedStream(httpx.SyncByteStream):
    """A body that is read no longer than its attempt lasts; one that the caller streams afterwards is not bounded."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._end = AttemptEnd()

    def __iter__(self) -> Iterator[bytes]:
        is_late = False
        for part in self._stream:
            if is_late:  # and not at the first late part, which may be the last one
                raise httpx.ReadTimeout("the time of the attempt is over")
            yield part
            is_late = self._end.is_over

    def close(self) -> None:
        self._stream.close()


def bound_body(response: httpx.Response) -> httpx.Response:
    """Return a response as a transport has made it, with its body bounded by the attempt that is under way."""
    response.stream = _BoundedStream(response.stream)
    return response


def judge_answer(response: httpx.Response, options: AttemptOptions, key: str | None) -> httpx.Response:
    """Return a response as a transport has made it, unread, marked if it does not prove that a write succeeded."""
    if options.mark_status(response, response.status_code) or not options.judges_body(response.status_code, key):
        return response
    stream: Any = response.stream
    try:
        raw = b"".join(stream)
        if _is_open(response, raw, options, key) and not _shut_down(network := _network_stream(response)):
            network.close()
    finally:
        stream.close()
    response.stream = httpx.ByteStream(raw)
    return response


async def judge_answer_async(response: httpx.Response, options: AttemptOptions, key: str | None) -> httpx.Response:
    """Do as `judge_answer` for an async client."""
    if options.mark_status(response, response.status_code) or not options.judges_body(response.status_code, key):
        return response
    stream: Any = response.stream
    try:
        raw = b"".join([part async for part in stream])
        if _is_open(response, raw, options, key) and not _shut_down(network := _network_stream(response)):
            await network.aclose()
    finally:
        await stream.aclose()
    response.stream = httpx.ByteStream(raw)
    return response


def _is_open(response: httpx.Response, raw: bytes, options: AttemptOptions, key: str | None) -> bool:
    """Mark the response if its body proves nothing; return whether it is marked."""
    whole = httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(raw))
    try:
        body = whole.read()
    except httpx.DecodingError:
        body = b""
    return options.mark_answer(response, response.status_code, response.headers, body, key)


def _network_stream(response: httpx.Response) -> Any:
    """Return the connection of a response; None for HTTP/2, where other requests are on it and lengths are framed."""
    return None if response.http_version == "HTTP/2" else response.extensions.get("network_stream")


def _shut_down(network: Any) -> bool:
    """Shut a connection down, so that its pool finds it dropped; return False where only closing it does that.

    Closing comes second: the pool asks the socket whether it is readable, and that of trio raises once it is closed.
    """
    try:
        network.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
    except (AttributeError, OSError):
        return True  # there is none, or it is gone
    except TypeError:
        return False  # uvloop forbids it
    return True
