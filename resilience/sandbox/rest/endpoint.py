"""Defines an endpoint, and the context that its route gets for each request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .answers import FormatReply, Reply, envelope

if TYPE_CHECKING:
    from ..exchange.auth import Authenticator
    from ..exchange.exchange import Exchange

__all__ = ["Endpoint", "HttpRequest", "RequestContext", "client_id_of", "new_id_of", "order_id_of"]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One parsed request; the names of its headers are in lower case."""

    method: str
    path: str
    query: str
    body: str
    params: dict[str, Any]
    headers: Mapping[str, str]


class RequestContext(NamedTuple):
    """What a route needs to execute one request. Routes know neither the server nor its faults.

    Attributes:
        exchange: the state of the exchange.
        request: the request.
        now: the exchange's Unix time.
        remaining: requests that the endpoint's limit still allows this second; None without authentication.
        lag: seconds until the change is visible to queries.
        stale: seconds by which the answer is behind.
    """

    exchange: Exchange
    request: HttpRequest
    now: float
    remaining: int | None = None
    lag: float = 0.0
    stale: float = 0.0

    @property
    def as_of(self) -> float:
        """The Unix time whose state the answer shows."""
        return self.now - self.stale

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the request."""
        return self.request.params


def client_id_of(request: HttpRequest) -> str:
    """Return the client id of an order, or an empty string."""
    return str(request.params.get("clientOid") or "")


def order_id_of(request: HttpRequest) -> str:
    """Return the id that names an existing order: the client id, or else the order id."""
    return str(request.params.get("clientOid") or request.params.get("orderId") or "")


def new_id_of(request: HttpRequest) -> str:
    """Return the id that names a changed order: the client id of the new order, or else the id of the old one."""
    return str(request.params.get("newClientOid") or order_id_of(request))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint of an API.

    Attributes:
        route: executes the request and returns the data of the answer.
        kind: decides which faults apply: `open` (public), `read`, `query` (of one order), `place` or `cancel`.
        key: returns the id by which the faults are drawn.
        format_reply: writes the answers of this API.
        success_status: HTTP status of success.
        signed: whether requests are authenticated and limited.
    """

    route: Callable[[RequestContext], Any]
    kind: str = "read"
    key: Callable[[HttpRequest], str] = order_id_of
    format_reply: FormatReply = envelope
    success_status: int = 200
    signed: bool = True

    def authenticate(self, authenticator: Authenticator, request: HttpRequest, now: float) -> int | None:
        """Check a request and return how many more the endpoint's limit allows this second; None if unsigned.

        Raises:
            RefusedError: the key, timestamp, signature or receive window is wrong, or the limit is exceeded.
        """
        if not self.signed:
            return None
        authenticator.check(request.method, request.path, request.query, request.body, request.headers, now)
        # The limit comes last: a request that is not authenticated does not use it up.
        authenticator.check_receive_window(request.params, now)
        return authenticator.count_request(request.path, now)

    def respond(self, context: RequestContext) -> Reply:
        """Execute a request and return the answer.

        Raises:
            RefusedError: the exchange refuses the request.
        """
        reply = self.format_reply("00000", "success", self.route(context), context.now, self.success_status)
        return reply._replace(remaining=context.remaining)
