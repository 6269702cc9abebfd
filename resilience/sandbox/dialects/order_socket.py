"""Defines an exchange's socket for orders: its logins, and messages that stand for requests of its REST API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..exchange.auth import Authenticator

__all__ = ["MessageRequest", "OrderSocket", "SocketMessage"]


class SocketMessage(NamedTuple):
    """A message of a client.

    Attributes:
        path: of the connection.
        body: the message.
        account: the credentials.
        now: the exchange's Unix time.
        logged_in: whether a login was accepted on this connection.
    """

    path: str
    body: Mapping[str, Any]
    account: Authenticator
    now: float
    logged_in: bool


class MessageRequest(NamedTuple):
    """The request of the REST API that a message stands for; `target` is its path with the query."""

    method: str
    target: str
    body: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSocket:
    """One exchange's socket for orders.

    Attributes:
        login: returns the answer to a login, and whether it was accepted; None for a message that is none.
        request: returns the request that a message stands for; None for a message that the exchange does not know.
        answer: returns the answer to a message, from the HTTP status and the body of the answer to its request.
        refuse: returns the answer to a message that stands for no request.
        ccxt_urls: returns `urls["api"]["ws"]` of the class of ccxt.pro, from the address of the sockets.
    """

    login: Callable[[SocketMessage], tuple[dict[str, Any], bool] | None]
    request: Callable[[SocketMessage], MessageRequest | None]
    answer: Callable[[SocketMessage, int, Any], dict[str, Any]]
    refuse: Callable[[SocketMessage], dict[str, Any]]
    ccxt_urls: Callable[[str], Any]
