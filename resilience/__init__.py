"""Stands between a bot and the API it trades or talks through.

Classifies each error through a table of codes, retries what may be retried, opens a breaker where a
service fails, and never sends a write twice without looking.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._client import wrap
    from ._core.classify import Classifier
    from ._core.deadline import current_call
    from ._core.failure import Failure
    from ._core.policy import Policy
    from ._core.reconcile import NOT_FOUND, Found
    from ._core.registry import Category, Rule
    from ._core.stage import Stage
    from ._decorator import resilient
    from ._failure_of import failure_of
    from ._pipeline import Pipeline
    from ._policies import Policies, configure
    from .config.tables import CodeRegistry
    from .errors import (
        AdmissionRejectedError,
        ApiError,
        CircuitOpenError,
        DeadlineExceededError,
        PolicyError,
        QuotaExceededError,
        RejectedError,
        ResilienceError,
    )

__all__ = [
    "NOT_FOUND",
    "AdmissionRejectedError",
    "ApiError",
    "Category",
    "CircuitOpenError",
    "Classifier",
    "CodeRegistry",
    "DeadlineExceededError",
    "Failure",
    "Found",
    "Pipeline",
    "Policies",
    "Policy",
    "PolicyError",
    "QuotaExceededError",
    "RejectedError",
    "ResilienceError",
    "Rule",
    "Stage",
    "configure",
    "current_call",
    "failure_of",
    "resilient",
    "wrap",
]

_ROOMS = {
    "NOT_FOUND": "_core.reconcile",
    "Category": "_core.registry",
    "Classifier": "_core.classify",
    "CodeRegistry": "config.tables",
    "Failure": "_core.failure",
    "Found": "_core.reconcile",
    "Pipeline": "_pipeline",
    "Policies": "_policies",
    "Policy": "_core.policy",
    "Rule": "_core.registry",
    "Stage": "_core.stage",
    "configure": "_policies",
    "current_call": "_core.deadline",
    "failure_of": "_failure_of",
    "resilient": "_decorator",
    "wrap": "_client",
}


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_ROOMS.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
