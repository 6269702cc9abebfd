"""Provides the Bitget REST client on `httpx`, for asyncio and trio; kept line by line like `sync_client.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Self

from ..integrations import httpx as transport
from .client_base import BitgetClientBase
from .errors import BitgetApiError
from .lookup_runner import LookupRequest, run_lookup_async
from .operation_methods import OperationMethods
from .operations import OPERATIONS, TIME, Operation, with_order_result
from .stamp_errors import needs_time_query

__all__ = ["AsyncBitgetClient"]


class AsyncBitgetClient(BitgetClientBase):
    """A client of Bitget's REST API whose calls are awaited. Belongs to one event loop.

    Example:
        >>> AsyncBitgetClient("key", "secret", "passphrase", base_url="http://127.0.0.1:8000")
        <AsyncBitgetClient http://127.0.0.1:8000>
    """

    _rejection_types = transport.REJECTION_TYPES

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
        request = self._prepare_request(method, path, params)
        try:
            response = await transport.send_async(
                self._session, method, request.url, headers=request.headers, data=request.data, timeout=request.timeout
            )
        except BaseException as error:
            self._redact_request(error)
            raise
        try:
            return self._read_response(request, response)
        except BitgetApiError as error:
            # Without the second condition a rejected time query would query the time again, without end.
            if needs_time_query(error) and path != TIME:
                await self._measure_clock()
            raise

    async def _measure_clock(self) -> None:
        """Measure the exchange's clock; if that fails, the clock stays as it is and the caller gets the rejection."""
        sent = self.clock.monotonic()
        try:
            self.clock.measure(await self.server_time(), sent)
        # The caller must get the rejection of its own request, and not the error of this query.
        except Exception:
            pass

    def _new_session(self) -> Any:
        return transport.new_async_client()

    def _reconciler(self, wrapped: Any, operation: Operation) -> Callable[[Any], Any]:
        lookup = operation.lookup
        assert lookup is not None

        async def reconcile(call: Any) -> Any:
            return with_order_result(await run_lookup_async(lookup(LookupRequest.of_call(call)), wrapped.get), call.key)

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
