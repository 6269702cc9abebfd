"""Provides the Bitget REST client on `httpx`, for asyncio and trio; kept line by line like `sync_client.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Self

from .._drivers.routine_runner import run_routine_async
from ..integrations import httpx as transport
from .client_base import BitgetClientBase
from .lookups import look_up_order, params_of
from .operation_methods import OperationMethods
from .operations import OPERATIONS, Operation

__all__ = ["AsyncBitgetClient"]


class AsyncBitgetClient(BitgetClientBase):
    """A client of Bitget's REST API whose calls are awaited. Belongs to one event loop.

    Example:
        >>> url = "http://127.0.0.1:8000"
        >>> AsyncBitgetClient("key", "secret", "passphrase", base_url=url)
        <AsyncBitgetClient http://127.0.0.1:8000>
    """

    _rejection_types = transport.REJECTION_TYPES
    _transmit = staticmethod(transport.send_async)

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a GET request and return the whole envelope.

        Raises:
            BitgetApiError: Bitget responded with an error.
            UndefinedParameterError: a parameter is None and validation is strict.
            httpx.HTTPError: there was no response.
        """
        return await self._send("GET", path, params)

    async def post(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a POST request and return the whole envelope; errors as for `get`."""
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
        return operation.extract(await self._send(operation.method, operation.path, params))

    async def _send(self, method: str, path: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        return await run_routine_async(self._sending(method, path, params))

    def _new_session(self) -> Any:
        return transport.new_async_client()

    def _reconciler(self, wrapped: Any, operation: Operation) -> Callable[[Any], Any]:
        write = operation.write
        assert write is not None

        async def reconcile(call: Any) -> Any:
            return await run_routine_async(look_up_order(write, params_of(call), call, wrapped.get))

        return reconcile


def _as_coroutine_function(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a named method as a coroutine function: `iscoroutinefunction` decides how a policy wraps it."""

    @wraps(method)
    async def coroutine_method(self: AsyncBitgetClient, *args: Any, **params: Any) -> Any:
        return await method(self, *args, **params)

    return coroutine_method


# A policy asks `iscoroutinefunction` before it wraps a method, so each named method must be one here.
for _name in OPERATIONS:
    setattr(AsyncBitgetClient, _name, _as_coroutine_function(getattr(OperationMethods, _name)))
