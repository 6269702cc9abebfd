"""Names the settings of a policy that a later version will not have."""

from __future__ import annotations

from collections.abc import Iterator

from ..._core.policy.policy import Policy

__all__ = ["deprecated_settings"]

_HEDGE_THREADS = (
    "deprecated, 0.3 will not have it: a sync attempt cannot be cancelled, so the slower one keeps its thread and its "
    "connection. Hedge an async client, or do without hedges"
)


def deprecated_settings(policy: Policy) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the paths of deprecated settings, as the warnings about a policy do, and the message."""
    if policy.hedge is not None and policy.hedge.threads:
        yield ("hedge.threads",), _HEDGE_THREADS
