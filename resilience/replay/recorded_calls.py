"""Defines the calls of a log and their attempts, as the log lines record them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .log_fields import read_seconds

__all__ = ["Log", "RecordedAttempt", "RecordedCall"]


@dataclass(slots=True)
class RecordedAttempt:
    """One failed attempt of a recorded call.

    Attributes:
        duration: seconds from the send to the failure.
        at: when it failed, Unix seconds.
        category: the category at that time: retryable, fatal or user_fixable.
        code: the API's code.
        registry: the code table that knew the code; None if no table did.
        error: makes an exception that a classifier sorts like the original one.
    """

    duration: float
    at: float
    category: str | None
    code: str | None
    registry: str | None
    error: Callable[[], Exception]


@dataclass(slots=True)
class RecordedCall:
    """One call that wrote at least one line.

    Attributes:
        name: the call's identifier in the log, or a number such as `#3` if its lines have none.
        policy: name of its policy.
        operation: name of the operation.
        retry_safety: `read`, `idempotent`, `reconciled` or `write`.
        began: when it began, Unix seconds.
        attempts: the failed attempts.
        waits: seconds waited after each attempt, by the attempt's number.
        outcome: `recovered`, `failed`, `reconciled`, `abandoned`, `refused`, or `unfinished` if the log ends before it.
        settled_at: when it ended, Unix seconds.
        last: the fields of its lines, where a later line overrides an earlier one.
    """

    name: str
    policy: str
    operation: str
    retry_safety: str
    began: float
    attempts: list[RecordedAttempt] = field(default_factory=list)
    waits: dict[int, float] = field(default_factory=dict)
    outcome: str = "unfinished"
    settled_at: float = 0.0
    last: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total_attempts(self) -> int:
        """How many attempts were made, including a successful last one."""
        return len(self.attempts) + (self.outcome == "recovered")

    @property
    def waited(self) -> float:
        """Seconds waited between attempts, including waits for lookups."""
        return read_seconds(self.last, "waited_so_far") or sum(self.waits.values())


@dataclass(slots=True)
class Log:
    """The calls of a log and the number of lines of each kind.

    Attributes:
        calls: the calls, in the order in which they began.
        lines: lines read, empty ones not counted.
        events: lines that this library wrote.
        foreign: JSON lines of other programs.
        broken: lines that are not JSON.
        without_attempts: ends of calls whose attempts are not in the log, as where its level is `warning`.
        guessed: calls without an identifier, which were distinguished by policy, operation and key.
    """

    calls: list[RecordedCall] = field(default_factory=list)
    lines: int = 0
    events: int = 0
    foreign: int = 0
    broken: int = 0
    guessed: int = 0
    without_attempts: int = 0
