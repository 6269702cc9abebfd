"""Waiting for the answer to a request, on the side of who asks."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable

from ..._core.base.clock import Clock
from ..session.dialect import Message
from ..session.request import ClosedClientError, NotSentError, Request
from ..session.session import State
from .supervisor import Supervisor

__all__ = ["answer_to"]


async def answer_to(
    supervisor: Supervisor,
    clock: Clock,
    request_id: str,
    text: str,
    leaving: Callable[[], None],
) -> Message:
    """Send a request once the socket is logged in, and return its answer, which may be an error.

    Args:
        supervisor: of the socket.
        clock: the time it goes by.
        request_id: by which the answer is known.
        text: the frame.
        leaving: called just before it leaves, and again when its connection was cut before the answer came.

    Raises:
        NotSentError: the socket has ended; nothing was sent.
        ConnectionResetError: the connection ended before the answer came.
    """
    while True:
        request = Request(request_id, text, leaving)
        await _asked(supervisor, clock, request)
        try:
            return await request
        except NotSentError:
            continue  # its connection ended while it waited in line: the next one takes it
        except CancelledError:
            supervisor.do(supervisor.session.withdraw(request, clock.monotonic()))
            request.given_up()
            raise


async def _asked(supervisor: Supervisor, clock: Clock, request: Request) -> None:
    """Put a request in line on a connection that is logged in.

    Raises:
        NotSentError: the socket has ended.
    """
    session = supervisor.session
    while (steps := session.ask(request, clock.monotonic())) is None:
        if session.over is not None:
            why = "" if session.ended is None else f": {session.ended.remedy or session.ended.code}"
            kind = ClosedClientError if session.over is State.CLOSED else NotSentError
            raise kind(f"the {session.name} socket is {session.state.value}{why}", session.ended)
        await supervisor.changed()
    supervisor.do(steps)
