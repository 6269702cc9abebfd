"""Refuses an async client in another event loop than its own, before anything is sent.

The connections of a client belong to the loop that opened them. Elsewhere the client fails at any point, also after the
request was written, and its error says nothing about that.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import RejectedError

__all__ = ["OwnLoop", "check_loop"]


class OwnLoop:
    """The event loop in which a client was first used. Under trio nothing is checked."""

    __slots__ = ("_get",)

    def __init__(self) -> None:
        self._get: Callable[[], Any] | None = None

    def check(self, rejection_types: Mapping[type, type]) -> None:
        """Remember the running loop at the first use, and reject every other one.

        Raises:
            RejectedError: the client was first used in another loop.
        """
        running = _running_loop()
        if running is None:
            return
        if self._get is None:
            self._get = weakref.ref(running)  # a loop that is over must not be kept
        check_loop(self._get(), rejection_types)


def check_loop(own: Any, rejection_types: Mapping[type, type]) -> None:
    """Reject a client whose loop is not the running one.

    Args:
        own: the client's loop; None for one that no longer exists.
        rejection_types: our rejection classes → those of the client.

    Raises:
        RejectedError: it is another one.
    """
    running = _running_loop()
    if running is not None and own is not running:
        raise rejection_types[RejectedError](
            "this client belongs to another event loop: nothing was sent; make the client in the loop that uses it"
        )


def _running_loop() -> Any:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
