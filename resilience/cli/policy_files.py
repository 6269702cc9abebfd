"""Reads the policy file that a command is given, and finds a policy by its name."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from .._core.policy.policy import Policy
from .._core.policy.policy_set import PolicySet
from ..errors import PolicyError

__all__ = ["find_policy", "read_policies"]


def read_policies(path: str | None) -> PolicySet:
    """Read a policy file. Without a path: `$RESILIENCE_POLICIES`, `./resilience.yaml`, or the built-in policies.

    Keys of version 0.1 are reported by `resilience check` only.

    Raises:
        PolicyError: the file cannot be read or has mistakes.
    """
    from ..config.loading.builtin_policies import builtin
    from ..config.loading.policy_file import load

    if path:
        return load(path, report=None)
    if named := os.environ.get("RESILIENCE_POLICIES"):
        # The user did not type this path, so the message says where it comes from.
        try:
            return load(named, report=None)
        except PolicyError as error:
            raise PolicyError(f"$RESILIENCE_POLICIES: {error}", error.problems) from None
    return load("resilience.yaml", report=None) if Path("resilience.yaml").is_file() else builtin()


def find_policy(name: str, policies: PolicySet) -> Policy:
    """Return the policy of this name.

    Raises:
        PolicyError: there is none of that name.
    """
    if name in policies.policies:
        return policies.policies[name]
    near = get_close_matches(name, policies.policies, 1)
    hint = f"did you mean {near[0]}?" if near else f"available: {', '.join(sorted(policies.policies))}"
    raise PolicyError(f"{policies.source}: no policy {name!r}; {hint}")
