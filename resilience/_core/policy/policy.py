"""Defines the settings of a policy, as frozen dataclasses that validate their values.

A policy file is read into these classes; a policy in Python is made of them directly. A section that is None is
off. `pipeline` turns the settings into running parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from .contradictions import Contradiction, Rule
from .given import Duration, Given, Keys, default
from .old_spellings import OldSpelling
from .renaming import renamed
from .section import Section
from .sections import (
    AdmissionSettings,
    BreakerSettings,
    BudgetSettings,
    CacheSettings,
    FallbackSettings,
    HedgeSettings,
    QuotaSettings,
    ReconcileSettings,
    RetrySettings,
    UnknownErrorSettings,
)
from .stream_limits import StreamSettings
from .units import About, Spec
from .value_text import says_why, shown

__all__ = ["Policy"]

_DAY = 86400.0


def _long_attempt(policy: Any) -> Iterator[Contradiction]:
    limit, attempt = policy.deadline, policy.attempt_timeout
    if limit is not None and attempt is not None and attempt > limit:
        message = f"{attempt:g}s is longer than the deadline of {limit:g}s"
        yield Contradiction("attempt_timeout", message, "deadline")


def _long_first_wait(policy: Any) -> Iterator[Contradiction]:
    limit, retry = policy.deadline, policy.retry
    if limit is None or retry is None or retry.max_attempts == 1 or retry.wait is not None:
        return
    first = retry.backoff.initial
    if first >= limit:
        message = f"a first wait of {first:g}s does not fit into the deadline of {limit:g}s"
        yield Contradiction("retry.backoff.initial", message, "deadline")


def _unknown_slowness(policy: Any) -> Iterator[Contradiction]:
    rules = policy.breaker
    if rules is not None and rules.slow_rate is not None and rules.slow_after is None:
        message = "needs slow_after, the duration above which a success is slow"
        yield Contradiction("breaker.slow_rate", message, "breaker.slow_after")


def _names_exceptions(one: Any) -> bool:
    """Return whether this is an exception class, or may be the path of one."""
    if isinstance(one, str):
        return all(part.isidentifier() for part in one.split("."))
    return isinstance(one, type) and issubclass(one, Exception)


def _not_exceptions(policy: Any) -> Iterator[Contradiction]:
    for index, one in enumerate(policy.pass_through):
        if not _names_exceptions(one):
            found = one.__name__ if isinstance(one, type) else shown(one)
            message = f"expected an exception class, or its path such as my_bot.flow.Stop, got {found}"
            yield Contradiction(f"pass_through[{index}]", message)


def _isolated_by_a_flag(policy: Any) -> Iterator[Contradiction]:
    if policy.isolated is not None and not says_why(policy.isolated):
        yield Contradiction("isolated", f"expected a string that says why, or off; got {shown(policy.isolated)}")


@renamed(
    OldSpelling("unknown", "unknown_errors"),
    OldSpelling("results", "classify_results", (("classify", True), ("ignore", False))),
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Section):
    """How calls of one kind are protected; a section that is None is off.

    Example:
        >>> Policy(name="read", deadline="20s", retry={"max_attempts": 4}).deadline
        20.0

    Raises:
        PolicyError: values are wrong; it lists every mistake with its path and the allowed range.
    """

    RULES: ClassVar[tuple[Rule, ...]] = (
        _long_attempt,
        _long_first_wait,
        _unknown_slowness,
        _not_exceptions,
        _isolated_by_a_flag,
    )

    name: Annotated[str, About("The policy's name.", "read")] = "default"
    codes: Given[
        Annotated[
            tuple[str, ...],
            About("Code registries, tried in this order: names, or paths relative to the file.", "[bitget, http]"),
        ],
        Sequence[str],
    ] = default(("http",))
    deadline: Given[
        Annotated[float, Spec("duration", 0, _DAY, "Time limit of the whole call, waits included.", "20s", above=True)]
        | None,
        Duration | None,
    ] = default(None)
    attempt_timeout: Given[
        Annotated[float, Spec("duration", 0, _DAY, "Time limit of one attempt.", "5s", above=True)] | None,
        Duration | None,
    ] = default(None)
    retry: Given[
        Annotated[
            RetrySettings, About("How often and after which delays a failed attempt is retried.", "{max_attempts: 4}")
        ]
        | None,
        RetrySettings | Keys | None,
    ] = default(None)
    budget: Given[
        Annotated[BudgetSettings, About("Limits retries to a share of the calls.", "{ratio: 20%, floor: 1/s}")] | None,
        BudgetSettings | Keys | None,
    ] = default(None)
    breaker: Given[
        Annotated[
            BreakerSettings, About("When to stop calling a service that fails or is slow.", "{failure_rate: 80%}")
        ]
        | None,
        BreakerSettings | Keys | None,
    ] = default(None)
    quota: Given[
        Annotated[
            tuple[QuotaSettings, ...],
            About("The API's rate limits; every attempt counts in every window.", "[{rate: 10/s, burst: 10}]"),
        ],
        Sequence[QuotaSettings | Keys],
    ] = default(())
    admission: Given[
        Annotated[
            AdmissionSettings, About("How many attempts may run and wait at the same time.", "{max_concurrent: 20}")
        ]
        | None,
        AdmissionSettings | Keys | None,
    ] = default(None)
    hold_max: Given[
        Annotated[
            float,
            Spec(
                "duration",
                0,
                30 * _DAY,
                "A wait that the API asks for is always kept; one that is longer than this is reported as an error.",
                "15m",
                above=True,
            ),
        ],
        Duration,
    ] = default(900.0)
    reconcile: Given[
        Annotated[
            ReconcileSettings,
            About("How a write with an uncertain outcome is looked up.", "{early_checks: 2, wait: 500ms}"),
        ]
        | None,
        ReconcileSettings | Keys | None,
    ] = default(None)
    hedge: Given[
        Annotated[HedgeSettings, About("Starts a second attempt while a slow first one still runs.", "{delay: 200ms}")]
        | None,
        HedgeSettings | Keys | None,
    ] = default(None)
    fallback: Given[
        Annotated[FallbackSettings, About("What the caller gets when a call fails finally.", "{stale_for: 30s}")]
        | None,
        FallbackSettings | Keys | None,
    ] = default(None)
    cache: Given[
        Annotated[CacheSettings, About("Keeps answers of reads for a short time.", "{max_age: 2s, max_entries: 1000}")]
        | None,
        CacheSettings | Keys | None,
    ] = default(None)
    stream: Given[
        Annotated[
            StreamSettings, About("Limits of WebSocket streams, and what happens when a reader is slow.", "{ping: 30s}")
        ]
        | None,
        StreamSettings | Keys | None,
    ] = default(None)
    stages: Given[
        Annotated[
            tuple[Any, ...],
            About("Stages of other packages, by entry point name, in order.", "[{pause: {seconds: 1}}]"),
        ],
        Sequence[Any],
    ] = default(())
    """In Python, `Stage` objects or (name, options) pairs."""
    unknown_errors: Given[
        Annotated[
            UnknownErrorSettings,
            About("How an error is handled that no code or class explains.", "{category: fatal, executed: maybe}"),
        ],
        UnknownErrorSettings | Keys,
    ] = default(field(default_factory=UnknownErrorSettings))
    pass_through: Given[
        Annotated[
            tuple[str | type, ...],
            About(
                "Exceptions that steer the program, by the path that Python prints: neither retried nor counted. They "
                "are added to those of frameworks.",
                "[my_bot.flow.Stop]",
            ),
        ],
        Sequence[str | type],
    ] = default(())
    """In Python, classes or their paths."""
    classify_results: Annotated[bool, About("Whether a returned error body is raised as an error.", "false")] = True
    attempt_header: (
        Annotated[str, About("A header in which HTTP clients send the number of the attempt.", "X-Attempt")] | None
    ) = None

    follow_redirects: Annotated[
        bool,
        About(
            "Whether wrapped HTTP clients follow redirects of writes. Reads follow the client's own setting.", "true"
        ),
    ] = False
    isolated: (
        Annotated[str, About("Why nothing is sent under this policy until it is released.", '"maintenance"')] | None
    ) = None

    def _label(self) -> str:
        return str(self.name)
