"""Puts the API calls of a bot under a policy: classification, retries, circuit breaking, exactly-once writes.

Every public name is imported on its first use, so that `import resilience` costs little.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from ._core.policy.validator import provide_validator

if TYPE_CHECKING:
    from ._core.call.context import current_call
    from ._core.call.lookup_answer import NOT_FOUND, Found
    from ._core.call.stage import Stage
    from ._core.classify.classifier import Classifier
    from ._core.classify.failure import Failure
    from ._core.policy.codes import Category, Rule
    from ._core.policy.policy import Policy
    from ._core.stages.breaker_store import BreakerStore
    from ._entry.configured import configure
    from ._entry.policies import Policies
    from ._entry.public_functions import failure_of, resilient, wrap
    from ._entry.warm_up import warm_up
    from ._pipeline.pipeline import Pipeline
    from .config.codes.code_tables import CodeRegistry
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

if not getattr(sys, "_is_gil_enabled", lambda: True)():  # the function exists since CPython 3.13
    raise ImportError(
        "resilience does not run without the GIL: limits that are counted without a lock, such as a quota, would be "
        "exceeded. Start this interpreter with PYTHON_GIL=1 (or -X gil=1), or use a build with the GIL."
    )

_OWN_FILES = frozenset(
    [
        "__init__.py",
        "__main__.py",
        "__pycache__",
        "__pyinstaller",
        "_core",
        "_drivers",
        "_entry",
        "_pipeline",
        "_policies",
        "_printable.py",
        "bitget",
        "cli",
        "config",
        "console",
        "errors.py",
        "fleet",
        "integrations",
        "outbox",
        "py.typed",
        "replay",
        "sandbox",
        "simulate",
        "streams",
        "telemetry",
        "testing",
        "testing_plugin.py",
        "venues",
    ]
)
"""What is in this folder; `_policies` in a wheel only. With any other file it is asked whose it is."""


def _is_only_ours() -> bool:
    try:
        return _OWN_FILES.issuperset(os.listdir(__path__[0]))
    except OSError:  # in a zip file
        return True


if not _is_only_ours() and (why := import_module("._entry.name_clash", __name__).clash(__path__[0])):
    raise ImportError(why)

__all__ = [
    "NOT_FOUND",
    "AdmissionRejectedError",
    "ApiError",
    "BreakerStore",
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
    "warm_up",
    "wrap",
]

_HOMES = {
    "NOT_FOUND": "_core.call.lookup_answer",
    "BreakerStore": "_core.stages.breaker_store",
    "Category": "_core.policy.codes",
    "Classifier": "_core.classify.classifier",
    "CodeRegistry": "config.codes.code_tables",
    "Failure": "_core.classify.failure",
    "Found": "_core.call.lookup_answer",
    "Pipeline": "_pipeline.pipeline",
    "Policies": "_entry.policies",
    "Policy": "_core.policy.policy",
    "Rule": "_core.policy.codes",
    "Stage": "_core.call.stage",
    "configure": "_entry.configured",
    "current_call": "_core.call.context",
    "failure_of": "_entry.public_functions",
    "resilient": "_entry.public_functions",
    "warm_up": "_entry.warm_up",
    "wrap": "_entry.public_functions",
}

# Settings are defined in the core and validated above it. pydantic is imported when the first value is to be read.
provide_validator(lambda: cast("Any", import_module(".config.validation.python_values", __name__)))


def __getattr__(name: str) -> Any:
    """Import a public name on its first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
