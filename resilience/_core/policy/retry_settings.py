"""Defines the settings of retries: how often, after which delays, and within which budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from .backoff import BackoffKindName
from .codes import Category, Executed
from .given import CategoryName, Duration, Given, Keys, Number, default
from .section import Section
from .units import About, Spec

__all__ = ["BackoffSettings", "BudgetSettings", "RetrySettings", "UnknownErrorSettings"]

_HOUR, _DAY, _MANY = 3600.0, 86400.0, 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BackoffSettings(Section):
    """How the delay grows from retry to retry, and its random part."""

    kind: Annotated[BackoffKindName, About("How the delay grows.", "exponential")] = "exponential"
    initial: Given[
        Annotated[float, Spec("duration", 0, _HOUR, "The delay before the first retry.", "200ms")], Duration
    ] = default(0.2)
    factor: Annotated[float, Spec("factor", 1, 100, "The factor by which an exponential delay grows.", "2")] = 2.0
    max: Given[Annotated[float, Spec("duration", 0, _DAY, "The longest delay, before jitter.", "5s")], Duration] = (
        default(5.0)
    )
    jitter: Annotated[
        Literal["none", "full", "equal"],
        About("How each delay is randomised: not at all, from 0 to the delay, or from half of it.", "full"),
    ] = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrySettings(Section):
    """How often and after which delays a failed attempt is retried."""

    max_attempts: Annotated[int, Spec("count", 1, 1000, "Attempts in total, the first included.", "4")] = 3
    backoff: Given[
        Annotated[BackoffSettings, About("How the delay grows from retry to retry.", "{initial: 200ms, max: 5s}")],
        BackoffSettings | Keys,
    ] = default(field(default_factory=BackoffSettings))
    stop: Callable[..., Any] | None = None
    """A stop object of tenacity, in Python only; it replaces `max_attempts`."""
    wait: Callable[..., Any] | None = None
    """A wait object of tenacity, in Python only; it replaces `backoff`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetSettings(Section):
    """Limits retries to a share of the calls: each call adds `ratio` to the budget, each retry takes 1."""

    ratio: Given[Annotated[float, Spec("ratio", 0, 10, "Retries allowed per call.", "20%")], Number] = default(0.2)
    floor: Given[Annotated[float, Spec("rate", 0, _MANY, "Retries that are always allowed.", "1/s")], Number] = default(
        1.0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownErrorSettings(Section):
    """How an error is handled that no registry, HTTP status or transport error explains."""

    category: Given[Annotated[Category, About("The category of such an error.", "fatal")], CategoryName] = default(
        Category.RETRYABLE
    )
    executed: Annotated[Executed, About("Whether the request may have taken effect.", "maybe")] = "maybe"
    max_attempts: Annotated[int, Spec("count", 1, 1000, "Attempts in total after such an error.", "2")] = 2
