"""Represents a request over a socket: sent at most once, then answered by id or failed when its connection ends.

Guarantee: once a request has been sent, it is either answered, or its connection is closed before the caller gets an
error. A request that is abandoned while queued is never sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

from ..._core.classify.failure import Failure
from .dialect import Message

__all__ = ["ClosedClientError", "GaveUpError", "NotSentError", "SocketRequest"]


class NotSentError(ConnectionError):
    """The socket is not available; nothing was sent.

    Attributes:
        failure: why the socket has given up, or None if it is only disconnected for now.
    """

    resilience_executed = "no"

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure


class ClosedClientError(NotSentError):
    """The client is closed for good; nothing was sent."""

    resilience_code = "client_closed"


class GaveUpError(ConnectionError):
    """A socket has given up: the user must fix something first. `failure_of` returns why.

    Attributes:
        failure: why, as its exception event said; a `StreamFailure`.
    """

    resilience_executed = "n_a"

    def __init__(self, message: str, failure: Failure) -> None:
        super().__init__(message, failure)
        self.failure = failure

    def __str__(self) -> str:
        return str(self.args[0])


class SocketRequest:
    """One frame whose answer a caller awaits. Belongs to one event loop.

    Attributes:
        id: matches the answer to the request.
        text: the frame.
        sent: True once it has been sent, or is about to be: it cannot be recalled.
    """

    def __init__(self, id: str, text: str, on_send: Callable[[], None]) -> None:  # noqa: A002  # the venue's own word
        """Create an unsent request.

        Args:
            id: matches the answer to the request.
            text: the frame.
            on_send: called just before the frame is sent, and again when its connection was cut. What it raises the
                first time goes to the caller, and the frame is not sent.
        """
        self.id, self.text, self.sent = id, text, False
        self._on_send = on_send
        self._answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[Any, None, Message]:
        """Wait for the answer.

        Raises:
            ConnectionResetError: the connection ended after the request was sent.
            NotSentError: the connection ended before it was sent.
        """
        return self._answer.__await__()

    @property
    def done(self) -> bool:
        """True once no caller waits for it any more."""
        return self._answer.done()

    def start_sending(self) -> bool:
        """Mark the request as sent and return True; return False if it must not be sent any more."""
        if self.done:
            return False
        # Before the frame is handed to the system, so that the stamp is never later than the sending.
        try:
            self._on_send()
        except Exception as error:
            self._answer.set_exception(error)
            return False
        self.sent = True
        return True

    def resolve(self, message: Message) -> None:
        """Hand the answer to the caller."""
        if not self.done:
            self._answer.set_result(message)

    def fail(self) -> None:
        """Raise an error in the caller: the connection is closed and can deliver nothing of this request any more."""
        if self.done:
            return
        if self.sent:
            self._on_send()  # stamps again: until this instant the frame may still have been on its way
            self._answer.set_exception(ConnectionResetError("the connection ended before the answer came"))
        else:
            self._answer.set_exception(NotSentError("the connection ended before the request was sent"))

    def abandon(self) -> None:
        """Record that the caller was cancelled and the connection is closed."""
        if self.sent:
            self._on_send()
