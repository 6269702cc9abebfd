"""What a policy says: frozen settings that check themselves at birth.

A policy file becomes these classes, and so does a policy written in Python. A section that is
None is off. Nothing here runs; `plan.py` turns settings into running parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Any

from ...errors import PolicyError, Problem
from .codes import CodeTable
from .old_spellings import OldSpelling
from .section import Section, renamed
from .sections import (
    AdmissionSettings,
    BreakerSettings,
    BudgetSettings,
    FallbackSettings,
    HedgeSettings,
    QuotaSettings,
    ReconcileSettings,
    RetrySettings,
    UnknownErrorSettings,
)
from .stream_limits import StreamSettings
from .units import About, Spec

__all__ = ["OperationSettings", "Policy", "PolicySet"]

_DAY = 86400.0


@renamed(
    OldSpelling("unknown", "unknown_errors"),
    OldSpelling("results", "classify_results", (("classify", True), ("ignore", False))),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Section):
    """How calls of one kind are made safe; a section that is None is off.

    Example:
        >>> Policy(name="read", deadline="20s", retry={"max_attempts": 4}).deadline
        20.0

    Raises:
        PolicyError: a value is wrong; every mistake is named with its path and the allowed range.
    """

    name: Annotated[str, About("The policy's name.", "read")] = "default"
    codes: Annotated[
        tuple[str, ...],
        About("Code registries, asked in this order: names, or paths of tables beside the file.", "[bitget, http]"),
    ] = ("http",)
    deadline: (
        Annotated[float, Spec("duration", 0, _DAY, "The whole call, waits included.", "20s", above=True)] | None
    ) = None
    attempt_timeout: Annotated[float, Spec("duration", 0, _DAY, "One attempt.", "5s", above=True)] | None = None
    retry: (
        Annotated[
            RetrySettings, About("How often, and after which delays, an attempt is made again.", "{max_attempts: 4}")
        ]
        | None
    ) = None
    budget: (
        Annotated[BudgetSettings, About("The share of calls that may be retries.", "{ratio: 20%, floor: 1/s}")] | None
    ) = None
    breaker: (
        Annotated[BreakerSettings, About("When to stop asking a service that fails or crawls.", "{failure_rate: 80%}")]
        | None
    ) = None
    quota: Annotated[
        tuple[QuotaSettings, ...],
        About("What the API allows us to send; every attempt pays every window.", "[{rate: 10/s, burst: 10}]"),
    ] = ()
    admission: (
        Annotated[AdmissionSettings, About("How many attempts run and wait at the same time.", "{max_concurrent: 20}")]
        | None
    ) = None
    reconcile: (
        Annotated[ReconcileSettings, About("How a write in doubt is looked up.", "{early_checks: 2, wait: 500ms}")]
        | None
    ) = None
    hedge: Annotated[HedgeSettings, About("A second attempt beside a slow first one.", "{delay: 200ms}")] | None = None
    fallback: (
        Annotated[FallbackSettings, About("What the caller gets when a call fails for good.", "{stale_for: 30s}")]
        | None
    ) = None
    stream: (
        Annotated[
            StreamSettings, About("Limits of a socket's streams, and what a slow reader's queue does.", "{ping: 30s}")
        ]
        | None
    ) = None
    stages: Annotated[
        tuple[Any, ...],
        About("Stages of other packages, by the names of their entry points, in order.", "[{pause: {seconds: 1}}]"),
    ] = ()
    """From Python `Stage` objects, or (name, options)."""
    unknown_errors: Annotated[
        UnknownErrorSettings,
        About("What to make of an error that nothing explains.", "{category: fatal, executed: maybe}"),
    ] = field(default_factory=UnknownErrorSettings)
    classify_results: Annotated[
        bool, About("Whether a returned body may be an error; false: it never is.", "false")
    ] = True
    attempt_header: (
        Annotated[str, About("A header in which HTTP clients tell the number of each attempt.", "X-Attempt")] | None
    ) = None

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        problems = [Problem(self.name, 0, 0, path, text) for path, text in geometry(self)]
        if problems:
            raise PolicyError.of(problems)


def geometry(policy: Policy) -> list[tuple[str, str]]:
    """Return (path, mistake) for settings that contradict each other."""
    found = []
    limit, attempt = policy.deadline, policy.attempt_timeout
    if limit is not None and attempt is not None and attempt > limit:
        found.append(("attempt_timeout", f"{attempt:g}s is longer than the deadline of {limit:g}s"))
    if limit is not None and policy.retry is not None and policy.retry.max_attempts > 1:
        first = policy.retry.backoff.initial
        if first >= limit and policy.retry.wait is None:
            found.append(("retry.backoff.initial", f"a first wait of {first:g}s cannot fit the deadline of {limit:g}s"))
    rules = policy.breaker
    if rules is not None and rules.slow_rate is not None and rules.slow_after is None:
        found.append(("breaker.slow_rate", "needs slow_after: the time from which on a success is slow"))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationSettings(Section):
    """Which policy the operations that match a glob get, and what is known about them."""

    match: Annotated[str, About("A glob of operation names, or of methods and paths.", '"fetch_*"')]
    policy: Annotated[str, About("The policy's name; without it the decorator or wrap names one.", "read")] | None = (
        None
    )
    idempotent: Annotated[bool, About("Whether sending it twice does no more than once.", "true")] | None = None
    key: Annotated[str, About("The parameter that carries the idempotency key of a write.", "clientOrderId")] | None = (
        None
    )
    lane: Annotated[str, About("The lane that its attempts are let in by.", "cancel")] | None = None


@dataclass(frozen=True, slots=True)
class PolicySet:
    """What one policy file says, the built-in policies beneath it included."""

    policies: Mapping[str, Policy]
    operations: tuple[OperationSettings, ...] = ()
    source: str = "built-in"
    tables: Mapping[str, CodeTable] = field(default_factory=dict)
    """The code tables that the file names by their path."""
    codes: tuple[str, ...] = ()
    """The registries that the file lists for all its policies."""

    def rule_for(self, operation: str) -> OperationSettings | None:
        """Return the first entry of `operations` whose glob matches, or None."""
        for one in self.operations:
            if operation == one.match or fnmatchcase(operation, one.match):
                return one
        return None
