"""Reads every metric of one set of policies at this moment, for whoever exports them. Nothing is counted for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .. import telemetry
from .._core.base.fork_safety import new_lock
from .._core.call.outcome_counts import LOOKUP_RESULTS
from .._core.stages.breaker import Breaker
from .._core.stages.duration_text import format_duration
from .._core.stages.quota import Quota
from ..telemetry.metric_table import METRICS, OTHER, Reading, Value
from .call_counts import MAX_OPERATIONS
from .shared_state import SharedState
from .snapshot import admission_rows, budget_rows, policy_rows, stream_clients
from .steady_counts import SteadyCounts

__all__ = ["MAX_NAMES", "MetricsReader"]

MAX_NAMES = 200  # values of an attribute, such as operations, that are exported by name
Row = tuple[str, tuple[Any, ...], Value] | tuple[str, tuple[Any, ...], int, object]
"""The last part of a metric's name, the values of its attributes, its value, and what counts it if that may vanish."""
_BREAKER_STATES = {"closed": 0, "half-open": 1, "open": 2, "isolated": 3}
_SOCKET_STATES = {
    "live": 0, "connecting": 1, "authenticating": 1, "subscribing": 1, "stale": 2, "waiting": 2, "given up": 3,
    "idle": 4, "closed": 4,
}  # fmt: skip
_FREE = ("outcome", "category", "executed", "to", "result")
"""Attributes with few values, all of them ours."""


class MetricsReader:
    """Reads the metrics. While it is open, it is measured how long calls take. Safe across threads.

    The first `MAX_NAMES` values of an attribute keep their names; those that come later are `other`, so that a series
    never changes its name.
    """

    def __init__(self, shared: SharedState, names: Callable[[], Iterable[str]], kept: int = 0) -> None:
        """Begin to measure.

        Args:
            shared: what is read.
            names: returns the names of the policies of the file.
            kept: how many durations of a kind can be read one by one; 0 where histograms are enough.
        """
        self._shared = shared
        self._policy_names = names
        self._names: dict[str, dict[str, str]] = {}
        self._doubted: dict[str, bool] = {}
        self._steady = SteadyCounts()
        self._lock = new_lock()
        self.close = shared.counts.measure(kept)

    def read(self) -> list[Reading]:
        """Return every metric with its present values; one that has none is among them too."""
        with self._lock:  # two scrapes at the same time would compare a counter with a newer total
            return self._read()

    def _read(self) -> list[Reading]:
        values: dict[str, dict[tuple[str, ...], Any]] = {name: {} for name in METRICS}
        breakers, clients = self._shared.breakers.all(), stream_clients(self._shared)
        self._steady.begin()
        parts = (
            self._calls(),
            self._breakers(breakers),
            self._quotas(),
            self._limits(),
            self._writes(),
            self._rest(clients),
        )
        for part in parts:
            for row in part:
                name, attributes, value = row[:3]
                metric = METRICS[f"resilience.{name}"]
                named = tuple(map(self._name, metric.attributes, attributes))
                if len(row) == 4:
                    self._steady.add(row[3], (metric.name, named), row[2])
                same = values[metric.name]
                if named not in same:
                    same[named] = value
                else:
                    same[named] = max(same[named], value) if metric.combine == "max" else same[named] + value
        for (metric_name, named), total in self._steady.gone():
            values[metric_name][named] = values[metric_name].get(named, 0) + total
        return [Reading(metric, values[name]) for name, metric in METRICS.items()]

    def _name(self, attribute: str, value: Any) -> str:
        """Return the value of an attribute as it is exported, without secrets."""
        # No exporter can encode half a character, and one such name would end every scrape.
        text = str(value or "").encode(errors="backslashreplace").decode()
        if attribute in _FREE:
            return text
        names = self._names.setdefault(attribute, {})
        name = names.get(text)
        if name is None:
            name = names.setdefault(text, telemetry.redact(text)) if len(names) < MAX_NAMES else OTHER
        return name

    def _remember_doubted(self, operations: Iterable[str]) -> None:
        """Remember operations that have had a write in doubt; no more than are counted by name."""
        for operation in operations:
            if len(self._doubted) < MAX_OPERATIONS:
                self._doubted[operation] = True

    def _calls(self) -> Iterator[Row]:
        for (policy, operation), counts in self._shared.counts.all().items():
            totals = counts.totals()
            if totals["unknown"]:
                self._remember_doubted([operation])
            for outcome, total in totals.items():
                yield "calls", (policy, operation, outcome), total
            for (category, executed), total in counts.attempts().items():
                name = policy, operation, category, executed
                yield "attempts", name, self._steady.never_less(("attempts", *name), total)
            for outcome, durations in counts.durations().items():
                if totals[outcome]:
                    yield "call.duration", (policy, operation, outcome), (durations,)
            reconciled = counts.reconciled()
            for result in LOOKUP_RESULTS if reconciled else ():
                yield "reconciled", (operation, result), reconciled.get(result, 0)

    def _breakers(self, existing: Iterable[Breaker]) -> Iterator[Row]:
        isolations, breakers = self._shared.isolations, self._shared.breakers.in_force()
        for breaker in breakers:
            yield "breaker.state", (breaker.policy, breaker.key), _BREAKER_STATES[breaker.state]
        for breaker in existing:
            transitions = breaker.transitions
            transitions["isolated"] += isolations.count(breaker.policy)
            for state, total in transitions.items():
                yield "breaker.transitions", (breaker.policy, breaker.key, state), total, breaker
        guarded = {breaker.policy for breaker in breakers}
        for policy in policy_rows(self._shared, self._policy_names(), breakers):
            if policy["isolated"] and policy["name"] not in guarded:  # the kill switch works without a breaker too
                yield "breaker.state", (policy["name"], policy["name"]), _BREAKER_STATES["isolated"]

    def _quotas(self) -> Iterator[Row]:
        now = self._shared.clock.monotonic()
        quotas = self._shared.limits.all_quotas()
        unnamed = [(policy, quota.key) for policy, name, quota in quotas if name is None]
        for policy, name, quota in quotas:
            # By the file too, because a quota is made at its first use, and a series never changes its name.
            several = self._shared.unnamed_quotas(policy) > 1 or unnamed.count((policy, quota.key)) > 1
            limit = quota.settings.burst
            attributes = name or (_quota_name(policy, quota) if several else policy), quota.key
            yield "quota.used", attributes, max(0, limit - quota.left(now))
            yield "quota.limit", attributes, limit
            yield "quota.wait", attributes, (quota.waits,)

    def _limits(self) -> Iterator[Row]:
        for hold in self._shared.describe_holds():
            yield "hold", (hold["host"], hold["account"]), hold["seconds_left"]
        for budget in budget_rows(self._shared):
            yield "budget.left", (budget["policy"],), budget["left"]
        for lane in admission_rows(self._shared):
            yield "admission.running", (lane["policy"], lane["lane"]), lane["running"]
            yield "admission.waiting", (lane["policy"], lane["lane"]), lane["waiting"]

    def _writes(self) -> Iterator[Row]:
        writes = self._shared.unsettled.describe()
        self._remember_doubted(write["operation"] for write in writes)
        for operation in self._doubted:  # once in doubt, an operation goes back to 0 and does not vanish
            yield "writes_in_doubt", (operation,), 0
        for write in writes:
            yield "writes_in_doubt", (write["operation"],), 1

    def _rest(self, clients: Iterable[Any]) -> Iterator[Row]:
        for client in clients:
            for stream in client.describe():
                yield "stream.state", (stream["socket"],), _SOCKET_STATES[stream["state"]]
                for name in ("reconnects", "gaps", "dropped"):
                    yield f"stream.{name}", (stream["socket"],), stream[name], client
        fleet = self._shared.fleet
        if fleet is not None:
            yield "shared.up", (fleet.settings.namespace,), int(fleet.is_up)
            yield "shared.round_trip", (fleet.settings.namespace,), (fleet.round_trips,)


def _quota_name(policy: str | None, quota: Quota) -> str:
    """Return the name of a quota that has none and is one of several of its policy: its rate, and what it is for."""
    name = f"{policy} {quota.settings.burst} per {format_duration(quota.span)}"
    return f"{name} for {', '.join(quota.settings.operations)}" if quota.settings.operations else name
