"""Records what one attempt has sent, so that an error before the first byte is known to be harmless."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..._core.call.context import current_call
from ...errors import RejectedError

__all__ = ["CURRENT", "SentBytes", "recording_sent_bytes"]


class SentBytes:
    """What the guarded connections of one attempt have sent. Used by one thread.

    Attributes:
        call: the call that the attempt is made for, which knows the time that is left; None outside a policy, and once
            the attempt has ended.
        has_begun: a guarded connection was asked to send a request.
        has_sent: bytes of a request were given to a socket.
        is_late: reading an answer was stopped because the attempt's time was over.
        refusal: the error of an attempt that was isolated before its first byte, else None.
    """

    __slots__ = ("call", "connection", "has_begun", "has_sent", "is_late", "refusal")

    def __init__(self) -> None:
        self.call = current_call()
        self.has_begun = self.has_sent = self.is_late = False
        self.connection: Any = None
        self.refusal: RejectedError | None = None

    @property
    def proves_nothing_left(self) -> bool:
        """Return whether a request was begun and no byte of it was sent. Without a guarded connection: False."""
        return self.has_begun and not self.has_sent

    def check_isolation(self) -> None:
        """Raise before the first byte if the operation was isolated while a connection was waited for.

        Raises:
            RejectedError: it is isolated. urllib3 may make an error of its own of it: see `recording_sent_bytes`.
        """
        if self.call is None or self.has_sent:
            return
        try:
            self.call.check_isolation()
        except RejectedError as error:
            self.refusal = error
            raise

    def read_within(self, socket: Any, read: Callable[[], int | None]) -> int | None:
        """Read from a socket, but no longer than the attempt lasts.

        Raises:
            TimeoutError: the time is over.
        """
        left = None if self.call is None else self.call.timeout
        if left is None:
            return read()
        if left <= 0:
            self.is_late = True
            raise TimeoutError("the time of the attempt is over")
        silence = socket.gettimeout()
        if silence is not None and silence <= left:
            return read()
        socket.settimeout(left)
        try:
            return read()
        except TimeoutError:
            self.is_late = True
            raise
        finally:
            socket.settimeout(silence)

    def discard_connection(self) -> None:
        """Do not use the last connection again: its answer proved unreadable, and the rest may still arrive.

        It is back in its pool by now, and another thread may have taken it. So it is closed by the next one that takes
        it or gives it back: closed here, it could lose the socket that the other thread has just opened.
        """
        if self.connection is not None:
            self.connection.is_spoiled = True


CURRENT: ContextVar[SentBytes | None] = ContextVar("resilience_requests_sent", default=None)


@contextmanager
def recording_sent_bytes() -> Iterator[SentBytes]:
    """Record what guarded connections send inside the block.

    Raises:
        RejectedError: the operation was isolated before the first byte; in place of what urllib3 has made of that.
    """
    sent = SentBytes()
    token = CURRENT.set(sent)
    try:
        yield sent
    except Exception:
        if sent.refusal is not None:
            raise sent.refusal from None
        raise
    finally:
        CURRENT.reset(token)
        sent.call = None  # a thread or task that outlives the attempt keeps this in its context, but not its time
