"""Reads the policy file that a command is given, and reports its mistakes with the right exit code."""

from __future__ import annotations

import os
import sys
from difflib import get_close_matches
from pathlib import Path

from .._core.policy.policy import Policy, PolicySet
from ..errors import PolicyError
from ..telemetry.redaction import redact

__all__ = ["UnusablePolicyError", "find_policy", "read_policies"]


class UnusablePolicyError(Exception):
    """A policy file or name cannot be used. The reason has been printed.

    Attributes:
        exit_code: 1 for mistakes in a file, 2 for wrong use.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


def read_policies(path: str | None) -> PolicySet:
    """Read a policy file. Without a path: `$RESILIENCE_POLICIES`, `./resilience.yaml`, or the built-in policies.

    Raises:
        UnusablePolicyError: the file cannot be read or has mistakes.
    """
    from ..config.loading.policy_file import builtin, load

    named = os.environ.get("RESILIENCE_POLICIES")
    source = path or named or ("resilience.yaml" if Path("resilience.yaml").is_file() else None)
    if source is None:
        return builtin()
    try:
        return load(source)
    except PolicyError as error:
        origin = "$RESILIENCE_POLICIES: " if named and not path else ""
        print(redact(f"{origin}{error}"), file=sys.stderr)
        has_mistakes = any(problem.line for problem in error.problems) or Path(source).is_file()
        raise UnusablePolicyError(1 if has_mistakes else 2) from None


def find_policy(name: str, policies: PolicySet) -> Policy:
    """Return the policy of this name.

    Raises:
        UnusablePolicyError: there is none of that name.
    """
    if name in policies.policies:
        return policies.policies[name]
    near = get_close_matches(name, policies.policies, 1)
    hint = f"did you mean {near[0]}?" if near else f"available: {', '.join(sorted(policies.policies))}"
    print(redact(f"resilience: {policies.source}: no policy {name!r}; {hint}"), file=sys.stderr)
    raise UnusablePolicyError(2)
