"""Warns about settings of one policy that cannot take effect, such as waits that never fit the deadline."""

from __future__ import annotations

from collections.abc import Sequence

from ..._core.policy.policy import Policy
from ..._core.policy.policy_set import OperationSettings
from ..._core.stages.built_in_stage import Warnings
from ..._core.stages.stage_list import STAGES

__all__ = ["policy_warnings"]


def policy_warnings(policy: Policy, operations: Sequence[OperationSettings] = ()) -> Warnings:
    """Yield the warnings about a policy: those of each stage, and those about its code tables.

    Args:
        policy: the settings.
        operations: the entries of `operations` that name it.
    """
    for stage in STAGES:
        yield from stage.warnings(policy)
        yield from stage.operation_warnings(policy, operations)
    duplicates = {name for name in policy.codes if policy.codes.count(name) > 1}
    if duplicates:
        yield ("codes",), f"duplicate registry {', '.join(sorted(duplicates))}"
