"""Says whether the event loop of a call has ended, so that what the call still holds can be taken back.

A call under way in a loop that is closed never ends: where its coroutine is not collected, its `finally` never runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .system_clock import running_trio

__all__ = ["end_of_loop"]


def end_of_loop() -> Callable[[], bool] | None:
    """Return a function that says whether the event loop that runs now has ended meanwhile; None without a loop."""
    trio = running_trio()
    if trio is None:
        asyncio: Any = sys.modules.get("asyncio")  # a loop of a module that nobody has imported does not run
        # The public function raises where there is no loop. Another thread may still be importing the module.
        loop: Any = getattr(asyncio, "_get_running_loop", _no_loop)()
        return None if loop is None else loop.is_closed
    token = trio.lowlevel.current_trio_token()

    def is_over() -> bool:
        try:
            token.run_sync_soon(_do_nothing, idempotent=True)
        except trio.RunFinishedError:
            return True
        return False

    return is_over


def _no_loop() -> None:
    """Be asyncio's answer where there is no asyncio."""


def _do_nothing(*_args: Any) -> None:
    """Be called by a loop that still runs."""
