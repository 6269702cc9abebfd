"""Warns about weights that are above what a shared quota leases: while the store answers, such a call is never sent."""

from __future__ import annotations

from collections.abc import Iterator

from ..._core.policy.limit_settings import QuotaSettings
from ..._core.policy.shared_settings import SharedSettings
from ..._core.stages.lease_terms import LeaseTerms, lease_terms
from ..._core.stages.quota_entry import reserved_sends
from ..loading.layers import Layer
from ..loading.nodes import Node, node_at

__all__ = ["leased_weights"]


def leased_weights(layer: Layer, file: str) -> Iterator[tuple[Node, str, str]]:
    """Yield the node, the path and the message of each weight that is too heavy; see `unreachable_entries`."""
    shared = layer.policy_set.shared
    if shared is None or "quota" not in shared.share:
        return
    for name, node in layer.nodes.items():
        for index, quota in enumerate(layer.policy_set.policies[name].quota if node.file == file else ()):
            terms = _terms(quota, shared)
            if isinstance(quota.weight, int) and quota.weight > max(
                terms.leased, terms.standing if terms.is_open else 0
            ):
                path = f"quota[{index}].weight"
                setting = node_at(node, path)
                yield (
                    setting if setting.file == file else node,
                    f"policies.{name}.{path}",
                    _message(quota, terms, shared),
                )


def _terms(quota: QuotaSettings, shared: SharedSettings) -> LeaseTerms:
    limit = quota.burst - reserved_sends(quota)
    return lease_terms(limit, quota.burst / quota.rate, shared.processes, shared.lease, shared.patience)


def _message(quota: QuotaSettings, terms: LeaseTerms, shared: SharedSettings) -> str:
    own = terms.standing * shared.processes
    return (
        f"{quota.weight} is never sent while the quota is shared: {terms.leased} are leased, and {own} of the "
        f"window are the own sends of {shared.processes} processes; lower shared.processes"
    )
