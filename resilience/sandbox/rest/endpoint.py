"""Defines an endpoint, and the context that its route gets for each request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .answers import BITGET_ANSWERS, FaultAnswers, FormatReply, Reply, envelope

if TYPE_CHECKING:
    from ..exchange.exchange import Exchange

__all__ = ["Endpoint", "HttpRequest", "RequestAdmission", "RequestContext", "client_id_of", "new_id_of", "order_id_of"]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One parsed request; the names of its headers are in lower case."""

    method: str
    path: str
    query: str
    body: str
    params: dict[str, Any]
    headers: Mapping[str, str]


class RequestAdmission(Protocol):
    """Decides which signed requests an exchange admits. Safe across threads."""

    def admit(self, request: HttpRequest, now: float) -> Mapping[str, str]:
        """Check a request and return what the headers of its answer say about the limits.

        Raises:
            RefusedError: the key, timestamp or signature is wrong, or a limit is exceeded.
        """
        ...

    def signed_at(self, request: HttpRequest) -> float | None:
        """Return the Unix time that was signed; None if there is none that can be read."""
        ...

    def window(self, request: HttpRequest) -> float:
        """Return for how many seconds after its timestamp the request is accepted."""
        ...


class RequestContext(NamedTuple):
    """What a route needs to execute one request. Routes know neither the server nor its faults.

    Attributes:
        exchange: the state of the exchange.
        request: the request.
        now: the exchange's Unix time.
        headers: what the headers of the answer say about the limits.
        lag: seconds until the change is visible to queries.
        stale: seconds by which the answer is behind.
    """

    exchange: Exchange
    request: HttpRequest
    now: float
    headers: Mapping[str, str] = MappingProxyType({})
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
        kind: decides which faults apply: `open` (public), `read`, `query` (of one order), `place`, `cancel` or
            `amend`.
        key: returns the id by which the faults are drawn.
        format_reply: writes the answers of this API.
        fault_answers: this API's own answers for faults.
        fault_data: returns the data of such an answer.
        success_status: HTTP status of success.
        signed: whether requests are authenticated and limited.
    """

    route: Callable[[RequestContext], Any]
    kind: str = "read"
    key: Callable[[HttpRequest], str] = order_id_of
    format_reply: FormatReply = envelope
    fault_answers: FaultAnswers = field(default_factory=lambda: BITGET_ANSWERS)
    fault_data: Callable[[RequestContext], Any] = lambda _context: None
    success_status: int = 200
    signed: bool = True

    def authenticate(self, admission: RequestAdmission, request: HttpRequest, now: float) -> Mapping[str, str]:
        """Check a request, if it must be signed, and return further headers of its answer.

        Raises:
            RefusedError: it is not admitted.
        """
        return admission.admit(request, now) if self.signed else {}

    def fault_answer(self, fault: str, context: RequestContext) -> Reply:
        """Return the exchange's own answer for a fault."""
        code, message, status = self.fault_answers[fault]
        return self.format_reply(code, message, self.fault_data(context), context.now, status)

    def respond(self, context: RequestContext) -> Reply:
        """Execute a request and return the answer.

        Raises:
            RefusedError: the exchange refuses the request.
        """
        reply = self.format_reply("00000", "success", self.route(context), context.now, self.success_status)
        return reply._replace(headers=context.headers)
