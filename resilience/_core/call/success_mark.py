"""Lets whoever reports successes learn how many attempts a call took that has failed in between.

Only while somebody listens to successes is there a mark. The slow path writes into it; a call that succeeds at once
leaves it as it is.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

__all__ = ["MARK", "SuccessMark", "mark_attempts"]


class SuccessMark:
    """How one call ended.

    Attributes:
        plan: of the operation; calls inside the call have other plans or other marks.
        attempts: how many attempts it took; 0 if it did not end well.
    """

    __slots__ = ("attempts", "plan")

    def __init__(self, plan: Any) -> None:
        self.plan = plan
        self.attempts = 1


MARK: ContextVar[SuccessMark | None] = ContextVar("resilience_success_mark", default=None)


def mark_attempts(plan: Any, attempts: int) -> None:
    """Record how many attempts the call took that is under way; 0 if it has not ended well."""
    mark = MARK.get()
    # Compared by what all plans of one compiled call have in common: each breaker of it has a plan of its own.
    if mark is not None and mark.plan.rejections is plan.rejections:
        mark.attempts = attempts
