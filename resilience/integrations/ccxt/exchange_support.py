"""Defines what a module for a single exchange adds to the ccxt integration, and what it gets to work with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, Protocol

from ..._core.stages.fence import Fence
from .method_names import MethodInfo

__all__ = ["ExchangeSupport", "MethodInfo", "PreparedRequest", "WrappedExchange"]


class PreparedRequest(NamedTuple):
    """The request of a call, before it is signed.

    Attributes:
        method: its HTTP verb; `WS` for a message over a socket.
        path: the template of its path; of a message its URL.
        params: its parameters, a mapping, or a list where ccxt sends one; a message as a whole.
        api: which of ccxt's APIs it belongs to; of a message its name, such as `socket order.place`.
    """

    method: str
    path: str
    params: Any
    api: object = None


class WrappedExchange(Protocol):
    """The exchange that a support module works with."""

    engine: Any
    """The exchange; each call on it is a single attempt."""
    asynchronous: bool

    def dry_run(self, call: Any) -> Any:
        """Return the `PreparedRequest` of a call, without sending it; to be awaited if the exchange is async.

        It is the first request of the call. Load the markets before; otherwise it is the request that loads them.

        Raises:
            LookupError: the call made no request in the dry run.
        """


class ExchangeSupport(Protocol):
    """What is known of one exchange. Each wrapped exchange has one instance; safe across threads and tasks.

    A derived class overrides the methods for what it knows. All other methods say that nothing is known.
    """

    reads_by_get: bool = False
    """Whether a GET never writes on this exchange."""
    registry: str | None = None
    """The exchange's code table, where it is not named after the exchange's id."""

    def describe(self, method: MethodInfo, wrapped: Any) -> Mapping[str, Any]:
        """Return fields of `OperationInfo` for a method: key, reconcile, fence, can_resync_clock, signs.

        Args:
            method: what its name says.
            wrapped: the wrapped exchange, whose calls are under the policy: lookups go through it.
        """
        return {}

    def prepare(self, request: PreparedRequest) -> Any:
        """Return the parameters to sign and send; by default what `prepare_params` returns.

        Raises:
            ValueError: they must not be sent; the text says why.
        """
        return self.prepare_params(request.method, request.path, request.params)

    def prepare_params(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to sign and send.

        Raises:
            ValueError: they must not be sent; the text says why.
        """
        return params

    def signing_options(self, request: Any) -> Mapping[str, Any]:
        """Return options of ccxt with which this request alone is signed, in place of the exchange's own."""
        return {}

    def finish(self, request: Any, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a signed request as it is sent; only what is not signed may be added.

        Args:
            request: its `method`, `path` and `api`, or None.
            signed: its `url`, `method`, `headers` and `body`.
        """
        return signed

    def finish_message(self, request: Any, message: Any) -> float | None:
        """Add to a socket message what is not part of its order. Return its stamp, in Unix seconds, or None."""
        return None

    def stamp_of(self, signed: Mapping[str, Any]) -> float | None:
        """Return the stamp of a signed request, in Unix seconds, or None; by default that of its headers."""
        return self.stamp(signed.get("headers") or {})

    def fence_of(self, request: Any, url: object, headers: object, body: object) -> Fence | None:
        """Return the bounds W, P and L of a finished request; None if only those of its operation are known."""
        return None

    def has_key(self, request: Any) -> bool:
        """Return whether a request that writes should carry the key of the call."""
        return True

    def stamped_params(self, method: str, path: str, params: Any) -> Any:
        """Return the parameters to sign, with the time of signing if the exchange takes it as a parameter."""
        return params

    def stamp(self, headers: Mapping[str, Any]) -> float | None:
        """Return the stamp in signed headers, in Unix seconds, or None."""
        return None

    def nonce(self, own: Any) -> Any:
        """Return the nonce to sign with instead of ccxt's own."""
        return own

    def wait_of(self, status: int | None, body: str, headers: Mapping[str, Any]) -> tuple[str, float | None] | None:
        """Return what a limit or a ban concerns, and for how many seconds; None for an answer that is neither.

        The first is `host` for everything that an account sends to the host, or `operation`. The seconds are None if
        the answer does not say them.
        """
        return None

    def refuses_stamp(self, body: str) -> bool:
        """Return whether an answer rejects a stamp for which ccxt raises another class than `InvalidNonce`."""
        return False

    def learn_rejection(self, body: str, sent_at: float) -> bool:
        """Learn the exchange's time from the body of an error, if a stamp was rejected.

        Args:
            body: the text of the response.
            sent_at: the monotonic instant at which its request was sent.

        Returns:
            Whether a stamp was rejected and the body has no time, so that the exchange's time must be queried.
        """
        return False

    def learn_time(self, milliseconds: Any, sent_at: float) -> None:
        """Learn the exchange's time, from the response to a request that was sent at a monotonic instant."""
        return

    def problem(self, request: Any, response: Any) -> tuple[Literal["unreadable", "partial"], str] | None:
        """Return why a response with a success status is not a success, or None; by default by `find_problem`."""
        return self.find_problem(request.method, request.path, response)

    def find_problem(
        self, method: str, path: str, response: Any
    ) -> tuple[Literal["unreadable", "partial"], str] | None:
        """Return why a response with a success status is not a success, or None if it is one."""
        return None
