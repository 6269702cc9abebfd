"""Builds the `aiohttp.ClientResponse` of a write that a lookup has found: it has a body, and no connection."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from aiohttp.helpers import TimerNoop
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

__all__ = ["describe_request", "full_stream", "new_response"]

BUFFER_SIZE = 65_536  # bytes that a stream reader buffers before it pauses its transport: aiohttp's own default
_UNKNOWN = URL("http://lookup.invalid/")


def new_response(body: bytes) -> aiohttp.ClientResponse:
    """Return a response with status 200 and this JSON body, in the running event loop."""
    loop = asyncio.get_running_loop()
    headers = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json", "Content-Length": str(len(body))}))
    arguments: dict[str, Any] = {
        "writer": None,
        "continue100": None,
        "timer": TimerNoop(),
        "request_info": aiohttp.RequestInfo(_UNKNOWN, "POST", CIMultiDictProxy(CIMultiDict()), _UNKNOWN),
        "traces": [],
        "loop": loop,
        "session": None,
    }
    try:
        response = aiohttp.ClientResponse("POST", _UNKNOWN, **arguments)
    except TypeError:  # aiohttp 3.13.4 asks how much was sent as well
        response = aiohttp.ClientResponse(
            "POST",
            _UNKNOWN,
            **arguments,
            stream_writer=SimpleNamespace(output_size=0),  # type: ignore[arg-type]  # newer, and only read
        )
    response.version = aiohttp.HttpVersion11
    response.status, response.reason = 200, "OK"
    response._headers = headers
    response._raw_headers = tuple((name.encode(), value.encode()) for name, value in headers.items())
    response._body = body
    response.content = full_stream(body, loop)
    return response


def describe_request(response: Any, method: str, url: Any, headers: Any = ()) -> Any:
    """Return the response; one that a lookup made gets the method and the URL of the caller's request."""
    if isinstance(response, aiohttp.ClientResponse) and response._request_info.url is _UNKNOWN:
        address = URL(url)
        response.method = method
        response._url = response._real_url = address
        headers = CIMultiDictProxy(CIMultiDict(headers or ()))
        response._request_info = aiohttp.RequestInfo(address, method, headers, address)
    return response


def full_stream(body: bytes, loop: asyncio.AbstractEventLoop) -> aiohttp.StreamReader:
    """Return a stream that holds a whole body."""
    stream = aiohttp.StreamReader(BaseProtocol(loop), max(len(body), BUFFER_SIZE), loop=loop)
    stream.feed_data(body)
    stream.feed_eof()
    return stream
