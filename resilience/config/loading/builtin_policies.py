"""Provides the built-in policies, from their compiled form where there is one."""

from __future__ import annotations

from functools import cache

from ..._core.policy.policy_set import PolicySet
from .compiled_files import BUILT_IN, POLICIES, compiled_content

__all__ = ["builtin"]


@cache
def builtin() -> PolicySet:
    """Return the built-in policies."""
    policies = compiled_content(POLICIES, tuple(f"{name}.yaml" for name in BUILT_IN))
    if policies is not None:
        return PolicySet(policies)

    from .policy_file import builtin_layer

    return builtin_layer().policy_set
