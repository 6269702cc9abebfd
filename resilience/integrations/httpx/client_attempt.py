"""Follows one attempt of a wrapped `httpx` client: which of its requests is the write, and whether that has left.

An auth may send requests of its own before the write, for a token say, and may build the write anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import httpx

from ..._core.base.context_variables import reset_variable
from .._attempt_options import AttemptOptions
from .._http_messages import mark_unbuilt, mark_uncertain
from .attempt import check_key
from .last_check import check_before_sending

__all__ = ["ATTEMPT", "ClientAttempt"]

ATTEMPT: ContextVar[Any] = ContextVar("resilience_httpx_attempt", default=None)
"""The attempt under way. httpx sends the requests of an auth, and those of redirects, inside `send`."""


class ClientAttempt:
    """One attempt under way.

    Attributes:
        client: the wrapped client.
        options: how the attempt is made.
        key: its key.
        has_left: a request that may be the write has left.
    """

    __slots__ = ("_is_answered", "_is_closed", "_request", "_sent", "client", "has_left", "key", "options")

    def __init__(self, client: Any, request: httpx.Request, options: AttemptOptions, key: str | None) -> None:
        self.client = client
        self.options = options
        self.key = key
        self.has_left = False
        self._request = request
        self._sent: httpx.Request | None = None  # the write, as it was sent
        self._is_answered = False
        self._is_closed = client.is_closed  # asked before the send: afterwards it would prove nothing

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Mark the error of an attempt that sent nothing, and that of a request after the write."""
        token = ATTEMPT.set(self)
        try:
            yield
        except Exception as error:
            if self._is_answered and not self._has_answer(error):
                mark_uncertain(error)  # an event hook or an auth may raise anything once the answer is there
            elif not self.has_left:
                mark_unbuilt(error, httpx.RequestError, is_closed=self._is_closed)
            # Not `error.request`, which raises if it is not set.
            elif isinstance(error, httpx.RequestError) and error._request not in (None, self._request, self._sent):
                mark_uncertain(error)
            raise
        finally:
            reset_variable(ATTEMPT, token)

    @contextmanager
    def sending(self, request: httpx.Request) -> Iterator[bool]:
        """Check a finished request; yield whether it is the write, and not an auth's own."""
        own = self._request
        same_place = (request.method, request.url.host, request.url.path) == (own.method, own.url.host, own.url.path)
        is_the_write = request is own or same_place or self._sent is not None  # after it come its redirects
        if is_the_write and self._sent is None:
            self._sent = request
            check_key(request, self.options, self.key)
            check_before_sending(request, asynchronous=isinstance(self.client, httpx.AsyncClient))
        # An auth may rewrite the address: what is not a read may be the write.
        self.has_left = self.has_left or is_the_write or request.method not in ("GET", "HEAD", "OPTIONS")
        try:
            yield is_the_write
            self._is_answered = self._is_answered or is_the_write
        except httpx.RequestError as error:
            if error._request is None:
                error.request = request  # as httpx does where it reads a body itself
            raise

    def _has_answer(self, error: Exception) -> bool:
        """Return whether an error was made of the answer to the write, as `raise_for_status` does in a hook."""
        response = getattr(error, "response", None)
        return response is not None and getattr(response, "_request", None) is self._sent
