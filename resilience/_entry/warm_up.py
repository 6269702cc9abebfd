"""Loads on demand what a first call and a first failure need: `warm_up`."""

from __future__ import annotations

from .._core.policy.policy import Policy
from .configured import configured_policies
from .policies import Policies

__all__ = ["warm_up"]


def warm_up(*policies: str | Policy | Policies) -> None:
    """Load all that a first call and a first failure need, so that neither imports a module nor reads a file.

    `configure` and `Policies` load it for the policies that a file names, and `wrap` and the decorator for the policy
    that they are given. This is for the rest: a program without `configure`, or one that chooses a policy later. Call
    it before the event loop runs and before a server forks. A second call costs nothing. Safe across threads.

    Args:
        policies: names of configured policies, `Policy` objects, or `Policies`, all of whose policies are loaded.
            Without arguments every configured policy is loaded.

    Raises:
        PolicyError: a policy that is named does not exist (the message lists the names), or a code table cannot be
            loaded.
        TypeError: an argument is none of these.

    Example:
        >>> warm_up("http")
    """
    for policy in policies:
        if not isinstance(policy, (str, Policy, Policies)):
            raise TypeError(f"warm_up takes names of policies, Policy or Policies, not {type(policy).__name__}")
    for policy in policies or (configured_policies(),):
        if isinstance(policy, Policies):
            policy.load_needs()
        else:
            configured_policies().load_needs(policy)
