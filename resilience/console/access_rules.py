"""Decides who may send a request to a server of the console: by its `Host`, its origin and its token."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from .browser_requests import loopback_refusal
from .refused_request import RequestRefusedError

__all__ = ["AccessRules"]


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Who may read and who may change something.

    Attributes:
        token: what a request that changes something has to send.
        protects_reading: whether a request that reads has to send it too.
    """

    token: str
    protects_reading: bool

    def check_sender(self, headers: Iterable[tuple[str, str]]) -> None:
        """Check that no page of another origin has sent a request.

        Raises:
            RequestRefusedError: one may have.
        """
        named = [(name.lower(), value) for name, value in headers]
        if sum(name == "host" for name, _ in named) > 1:
            raise RequestRefusedError(400, "Host: expected one header")
        why = loopback_refusal(dict(named))
        if why is not None:
            raise RequestRefusedError(403, why)

    def check_token(self, authorization: str, *, changes: bool) -> None:
        """Check the header `Authorization` of a request that changes something, or reads.

        Raises:
            RequestRefusedError: the token is needed, and is missing or wrong.
        """
        if not (changes or self.protects_reading):
            return
        scheme, _, token = authorization.partition(" ")
        sent = token.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else b""
        if not secrets.compare_digest(sent, self.token.encode()):
            message = "the token is missing or wrong; send it in the header Authorization, after the word Bearer"
            raise RequestRefusedError(401, message, WWW_Authenticate="Bearer")
