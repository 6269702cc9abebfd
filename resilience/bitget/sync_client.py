"""Provides the Bitget REST client on `requests`: generic calls, and named methods for a bot in spot and futures.

Each call is one attempt with a new stamp and signature. The client itself never retries; `wrap(client, "bitget")` puts
every call under a policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from .._drivers.routine_runner import run_routine
from ..integrations import requests as transport
from .client_base import BitgetClientBase
from .lookups import look_up_order, params_of
from .operations import OPERATIONS, Operation

__all__ = ["BitgetClient"]


class BitgetClient(BitgetClientBase):
    """A client of Bitget's REST API. As safe across threads as its session is.

    Example:
        >>> url = "http://127.0.0.1:8000"
        >>> BitgetClient("key", "secret", "passphrase", base_url=url)
        <BitgetClient http://127.0.0.1:8000>
    """

    _rejection_types = transport.REJECTION_TYPES
    _transmit = staticmethod(transport.send)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a GET request and return the whole envelope.

        Raises:
            BitgetApiError: Bitget responded with an error.
            UndefinedParameterError: a parameter is None and validation is strict.
            requests.RequestException: there was no response.
        """
        return self._send("GET", path, params)

    def post(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a POST request and return the whole envelope; errors as for `get`."""
        return self._send("POST", path, params)

    def close(self) -> None:
        """Close the session's connections."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, name: str, params: dict[str, Any]) -> Any:
        operation = OPERATIONS[name]
        return operation.extract(self._send(operation.method, operation.path, params))

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        return run_routine(self._sending(method, path, params))

    def _new_session(self) -> Any:
        return transport.new_session()

    def _adopt_session(self, session: Any) -> Any:
        # urllib3 retries beneath `requests`, where neither the stamp nor the lookup can be renewed.
        for adapter in getattr(session, "adapters", {}).values():
            transport.disable_retries(adapter)
            transport.guard_connections(adapter)
        return session

    def _reconciler(self, wrapped: Any, operation: Operation) -> Callable[[Any], Any]:
        write = operation.write
        assert write is not None
        return lambda call: run_routine(look_up_order(write, params_of(call), call, wrapped.get))
