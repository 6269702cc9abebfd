"""Sends a request over a socket and waits for its answer."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable

from ..._core.base.clock import Clock
from ..._printable import printable
from ..session.dialect import Message
from ..session.request import ClosedClientError, NotSentError, SocketRequest
from ..session.session import State
from .supervisor import Supervisor

__all__ = ["await_answer"]


async def await_answer(
    supervisor: Supervisor,
    clock: Clock,
    request_id: str,
    text: str,
    on_send: Callable[[], None],
) -> Message:
    """Send a request once the socket is logged in, and return its answer, which may be an error frame.

    Args:
        supervisor: the supervisor of the socket.
        clock: monotonic time.
        request_id: matches the answer to the request.
        text: the frame.
        on_send: called just before the frame is sent, and again if its connection is cut before the answer comes.

    Raises:
        NotSentError: the socket has ended; nothing was sent.
        ConnectionResetError: the connection ended before the answer came.
    """
    while True:
        request = SocketRequest(request_id, text, on_send)
        await _enqueue(supervisor, clock, request)
        try:
            return await request
        except NotSentError:
            continue  # its connection ended while it was queued: the next connection takes it
        except CancelledError:
            supervisor.perform(supervisor.session.withdraw(request, clock.monotonic()))
            # After the cut, so that its second stamp is not earlier than the last instant at which it could leave.
            request.abandon()
            raise


async def _enqueue(supervisor: Supervisor, clock: Clock, request: SocketRequest) -> None:
    """Queue a request on a connection that is logged in.

    Raises:
        NotSentError: the socket has ended.
    """
    session = supervisor.session
    # Tested again after every change: another request may have closed the connection in between.
    while (steps := session.send_request(request, clock.monotonic())) is None:
        if session.inactive_state is not None:
            reason = session.give_up_reason
            why = "" if reason is None else f": {printable(reason.remedy or reason.code or '')}"
            kind = ClosedClientError if session.inactive_state is State.CLOSED else NotSentError
            raise kind(f"the {session.name} socket is {session.state.value}{why}", reason)
        await supervisor.wait_for_change()
    supervisor.perform(steps)
