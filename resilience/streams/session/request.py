"""A request over a socket: sent once at most, answered by its id, or ended by what became of its connection.

The law of this file: once a request has left, it is answered, or the connection that it left on is
closed before anybody is told otherwise. What is given up while it waits in line never leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

from ..._core.classify.failure import Failure
from .dialect import Message

__all__ = ["ClosedClientError", "NotSentError", "Request"]


class NotSentError(ConnectionError):
    """The socket is not there; nothing was sent.

    Attributes:
        failure: why the socket was given up, or None where it is only away for now.
    """

    resilience_executed = "no"

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure


class ClosedClientError(NotSentError):
    """The client is closed, and stays so; nothing was sent."""

    resilience_code = "client_closed"


class Request:
    """One frame that somebody waits to be answered. Belongs to one event loop.

    Attributes:
        id: by which the answer is known.
        text: the frame.
        sent: it has left, or is about to: there is no calling it back.
    """

    def __init__(self, id: str, text: str, leaving: Callable[[], None]) -> None:  # noqa: A002  # the venue's own word
        """Begin unsent; `leaving` is called just before it leaves."""
        self.id, self.text, self.sent = id, text, False
        self._leaving = leaving
        self._answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    def __await__(self) -> Generator[Any, None, Message]:
        """Wait for the answer.

        Raises:
            ConnectionResetError: the connection ended after it had left.
            NotSentError: the connection ended before.
        """
        return self._answer.__await__()

    @property
    def over(self) -> bool:
        """Tell whether nobody waits for it any more."""
        return self._answer.done()

    def leave(self) -> bool:
        """Tell whether it is still wanted, and note that it leaves now."""
        if self.over:
            return False
        self.sent = True
        self._leaving()
        return True

    def answered(self, message: Message) -> None:
        """Its answer came."""
        if not self.over:
            self._answer.set_result(message)

    def lost(self) -> None:
        """Its connection is closed, and nothing of it can arrive from now on."""
        if self.over:
            return
        if self.sent:
            self._leaving()  # up to this instant it may have been on its way
            self._answer.set_exception(ConnectionResetError("the connection ended before the answer came"))
        else:
            self._answer.set_exception(NotSentError("the connection ended before the request was sent"))

    def given_up(self) -> None:
        """Nobody waits any more, and its connection is closed."""
        if self.sent:
            self._leaving()
