"""Refuses a request whose operation was isolated while aiohttp waited for a connection, just before its first byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..._core.call.context import current_call

__all__ = ["checked_before_sending"]


@contextmanager
def checked_before_sending(request: Any) -> Iterator[None]:
    """Have a request ask, inside the block, once it has its connection; outside a policy nothing is asked."""
    call, send = current_call(), getattr(request, "send", None)
    if call is None or send is None:
        yield
        return

    async def send_checked(connection: Any) -> Any:
        call.check_isolation()
        return await send(connection)

    request.send = send_checked
    try:
        yield
    finally:
        vars(request).pop("send", None)  # it would be a cycle
