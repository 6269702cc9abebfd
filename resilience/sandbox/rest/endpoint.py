"""What an endpoint is: what it does, how it is let in, and what it gets to work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from .answers import Reply, Tell, envelope

if TYPE_CHECKING:
    from ..exchange.exchange import Exchange
    from ..server import Sandbox

__all__ = ["Endpoint", "Request", "Turn", "client_id_of", "key_of", "new_id_of"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it was read; the names of its headers are in lower case."""

    method: str
    path: str
    query: str
    body: str
    params: dict[str, Any]
    headers: Mapping[str, str]


def client_id_of(request: Request) -> str:
    """Return the client's own id of an order, or nothing."""
    return str(request.params.get("clientOid") or "")


def key_of(request: Request) -> str:
    """Return the id by which an order is named: the client's, else the exchange's."""
    return str(request.params.get("clientOid") or request.params.get("orderId") or "")


class Turn(NamedTuple):
    """What an endpoint has to carry a request out.

    Attributes:
        now: the exchange's time.
        lag: seconds for which the change stays unseen.
        stale: seconds by which the answer is behind.
    """

    sandbox: Sandbox
    request: Request
    now: float
    lag: float = 0.0
    stale: float = 0.0

    @property
    def exchange(self) -> Exchange:
        """The exchange's truth."""
        return self.sandbox.exchange

    @property
    def as_of(self) -> float:
        """The time whose truth is told."""
        return self.now - self.stale

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the request."""
        return self.request.params


def new_id_of(request: Request) -> str:
    """Return the id by which a changed order is named: that of the new order, else of the old one."""
    return str(request.params.get("newClientOid") or key_of(request))


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What one endpoint does.

    Attributes:
        act: carries the request out and returns the data of the answer.
        kind: what is counted and which faults it meets: `open` (public), `read`, `query` (of one order),
            `place` or `cancel`.
        key: the id by which its faults are drawn.
        tell: how this API words its answers.
        good: HTTP status of success.
        signed: whether it checks key, stamp and limits.
    """

    act: Callable[[Turn], Any]
    kind: str = "read"
    key: Callable[[Request], str] = key_of
    tell: Tell = envelope
    good: int = 200
    signed: bool = True

    def enter(self, sandbox: Sandbox, request: Request, now: float) -> int | None:
        """Let a request in and return how many more the endpoint's limit allows this second.

        Raises:
            RefusedError: its key, stamp, signature or window is wrong, or the limit is reached.
        """
        if not self.signed:
            return None
        sandbox.gate.check(request.method, request.path, request.query, request.body, request.headers, now)
        sandbox.gate.check_window(request.params, now)
        return sandbox.gate.spend(request.path, now)

    def success(self, data: Any, now: float, left: int | None = None) -> Reply:
        """Word a success."""
        return self.tell("00000", "success", data, now, self.good)._replace(left=left)
