"""Bitget's REST API on `requests`: generic calls, and named ones for a bot in spot and futures.

Each call is one attempt: stamp and signature are made anew every time it runs. The client itself
never retries; `wrap(client, "bitget")` puts every call under a policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

from ..integrations import requests as transport
from .client_base import Client, asked_of, shaped, unclear
from .errors import BitgetApiError
from .lookups import asked
from .operations import OPERATIONS, TIME, Operation

__all__ = ["BitgetClient"]


class BitgetClient(Client):
    """A client of Bitget's REST API. Safe across threads as far as its session is.

    Example:
        >>> client = BitgetClient("key", "secret", "passphrase", base_url="http://127.0.0.1:8000")
        >>> client
        <BitgetClient http://127.0.0.1:8000>
    """

    _refusals = transport.REJECTION_TYPES

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Read from an endpoint and return the whole envelope.

        Raises:
            BitgetApiError: Bitget answered with an error.
            UndefinedParameterError: a parameter is None and validation is strict.
            requests.RequestException: there was no answer.
        """
        return self._send("GET", path, params)

    def post(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write to an endpoint and return the whole envelope; errors as for `get`."""
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
        return operation.read(self._send(operation.method, operation.path, params))

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        request = self._request(method, path, params)
        try:
            answer = transport.send(
                self._session, method, request.url, headers=request.headers, data=request.data, timeout=request.timeout
            )
        except Exception as error:
            self._hide(error)
            raise
        try:
            return self._opened(request, answer)
        except BitgetApiError as error:
            if unclear(error) and path != TIME:
                self._ask_the_time()
            raise

    def _ask_the_time(self) -> None:
        """Learn the exchange's clock; a time that nobody tells leaves it as it is, and the refusal stands."""
        began = self.clock.instant()
        try:
            self.clock.told(self.server_time(), began)
        except Exception:
            pass

    def _new_session(self) -> Any:
        return transport.new_session()

    def _taken(self, session: Any) -> Any:
        for adapter in getattr(session, "adapters", {}).values():
            transport.disable_retries(adapter)
        return session

    def _reconciler(self, wrapped: Any, operation: Operation) -> Callable[[Any], Any]:
        look = operation.look
        assert look is not None
        return lambda call: shaped(asked(look(asked_of(call)), wrapped.get), call.key)
