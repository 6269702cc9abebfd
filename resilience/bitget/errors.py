"""Defines the errors of the Bitget clients. They contain no secrets: these are removed before an error is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._printable import printable
from ..errors import ApiError

__all__ = ["BitgetApiError", "BitgetSocketError", "UndefinedParameterError"]


class UndefinedParameterError(ValueError):
    """A parameter is None, and `strict_param_validation` is on. Nothing was sent."""


class BitgetApiError(Exception):
    """Bitget responded with an error, or with a batch of which some items failed.

    Attributes:
        code: HTTP status, such as 400.
        message: HTTP status text.
        body: the response with Bitget's own `code` and `msg`; a string if it is not JSON.
        headers: headers of the response.
        request_options: the client's options, and method, path and parameters of the request; key,
            secret, passphrase and signature are removed.
        api_code: Bitget's own code as a string, or None.
        api_message: Bitget's own message.
        failures: the items of a batch that failed, if an otherwise successful response lists some.
    """

    resilience_registry = "bitget"
    """The code table that explains this error, whatever tables a policy lists."""

    def __init__(
        self,
        code: int,
        message: str,
        body: Any,
        headers: Mapping[str, str],
        request_options: Mapping[str, Any],
        *,
        api_code: str | None = None,
        api_message: str = "",
        failures: Sequence[Mapping[str, Any]] = (),
        resilience_code: str | None = None,
        resilience_executed: str | None = None,
    ) -> None:
        # `args` are the parts that `repr` shows; body and headers are attributes only.
        super().__init__(code, message, api_code, api_message)
        self.code = code
        self.message = message
        self.body = body
        self.headers: Mapping[str, str] = dict(headers)
        self.request_options: Mapping[str, Any] = dict(request_options)
        self.api_code = api_code
        self.api_message = api_message
        self.failures: Sequence[Mapping[str, Any]] = list(failures)
        self.resilience_code = resilience_code
        self.resilience_executed = resilience_executed

    # The default pickling calls the class with `args`, which are not the arguments of `__init__`.
    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, dict(self.__dict__))

    def __str__(self) -> str:
        status = f"HTTP {self.code} {self.message}".rstrip()
        if self.api_code is not None:
            return printable(f"{self.api_code}: {self.api_message} ({status})")
        return printable(f"{self.api_message or 'no code in the answer'} ({status})")


class BitgetSocketError(ApiError):
    """Bitget rejected a request over a socket.

    Attributes:
        code: Bitget's own code as a string; empty if the answer has none.
        message: Bitget's own message.
        body: the received frame.
    """

    resilience_registry = "bitget-ws"
    """The code table that is searched first; a policy's own tables explain the codes that sockets share with REST."""

    resilience_code: str | None = None
    resilience_executed: str | None = None


def _rebuild(kind: type[BitgetApiError], args: tuple[Any, ...], state: dict[str, Any]) -> BitgetApiError:
    # Without `__init__`, which takes other arguments than `args`.
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
