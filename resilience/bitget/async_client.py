"""Bitget's REST API on `httpx`, for asyncio and trio; `rest.py` in the other colour, alike on purpose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Self

from ..integrations import httpx as transport
from .client_base import Client, asked_of, shaped, unclear
from .endpoints import NamedCalls
from .errors import BitgetApiError
from .lookups import aasked
from .operations import OPERATIONS, TIME, Operation

__all__ = ["AsyncBitgetClient"]


class AsyncBitgetClient(Client):
    """A client of Bitget's REST API whose calls are awaited. One event loop at a time.

    Example:
        >>> AsyncBitgetClient("key", "secret", "passphrase", base_url="http://127.0.0.1:8000")
        <AsyncBitgetClient http://127.0.0.1:8000>
    """

    _refusals = transport.REJECTION_TYPES

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Read from an endpoint and return the whole envelope.

        Raises:
            BitgetApiError: Bitget answered with an error.
            UndefinedParameterError: a parameter is None and validation is strict.
            httpx.HTTPError: there was no answer.
        """
        return await self._send("GET", path, params)

    async def post(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write to an endpoint and return the whole envelope; errors as for `get`."""
        return await self._send("POST", path, params)

    async def close(self) -> None:
        """Close the session's connections."""
        await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _call(self, name: str, params: dict[str, Any]) -> Any:
        operation = OPERATIONS[name]
        return operation.read(await self._send(operation.method, operation.path, params))

    async def _send(self, method: str, path: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        request = self._request(method, path, params)
        try:
            answer = await transport.send_async(
                self._session, method, request.url, headers=request.headers, data=request.data, timeout=request.timeout
            )
        except Exception as error:
            self._hide(error)
            raise
        try:
            return self._opened(request, answer)
        except BitgetApiError as error:
            if unclear(error) and path != TIME:
                await self._ask_the_time()
            raise

    async def _ask_the_time(self) -> None:
        """Learn the exchange's clock; a time that nobody tells leaves it as it is, and the refusal stands."""
        began = self.clock.instant()
        try:
            self.clock.told(await self.server_time(), began)
        except Exception:
            pass

    def _new_session(self) -> Any:
        return transport.new_async_client()

    def _reconciler(self, wrapped: Any, operation: Operation) -> Callable[[Any], Any]:
        look = operation.look
        assert look is not None

        async def reconcile(call: Any) -> Any:
            return shaped(await aasked(look(asked_of(call)), wrapped.get), call.key)

        return reconcile


def _awaited(named: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a named call as the coroutine function that it is in this client."""

    @wraps(named)
    async def method(self: AsyncBitgetClient, *args: Any, **params: Any) -> Any:
        return await named(self, *args, **params)

    return method


for _name in OPERATIONS:
    setattr(AsyncBitgetClient, _name, _awaited(getattr(NamedCalls, _name)))
