"""Shares the retry budgets: the retries of all processes together are limited to a share of their calls together.

Alone, eight processes have eight times the floor. Each process may make its part of the retries that are left until it
asks the store again, but at least one if there is one. So the limit is kept to within one retry per process and beat.
"""

from __future__ import annotations

import time
import weakref
from collections import deque
from math import ceil
from typing import Any

from .._core.stages.budget import SPAN, Budget
from .budget_script import BUDGET
from .keys import digest_of
from .part_inputs import PartInputs
from .push_listener import listener_to
from .store import Store

__all__ = ["SharedBudgets"]

BEAT = 0.2  # seconds between two checks of what the budgets have counted; the store is asked only if that has changed


class SharedBudgets:
    """The retry budgets of one set of policies, by policy. Methods as in `SharedPart`."""

    def __init__(self, inputs: PartInputs) -> None:
        self._shared = weakref.ref(inputs.shared)
        self._clock, self._keys = inputs.clock.monotonic, inputs.keys
        self._link, self._membership = inputs.link, inputs.membership
        self._channel = f"{inputs.keys.tag('budgets')}changed"
        self._listener = listener_to(inputs.settings.url, inputs.settings.patience)
        self._processes = inputs.settings.processes
        self._rows: dict[str, tuple[int, int]] = {}
        self._totals: dict[str, tuple[int, int, int]] = {}
        self._asked_at: dict[str, float] = {}
        self._news: deque[str] = deque(maxlen=10_000)
        self._due = 0.0

    def leave(self) -> None:
        """Share nothing any more."""
        for budget in self._budgets().values():
            budget.go_alone()

    def changed(self, message: str) -> None:
        """Leave a row, because another process has retried; for all policies after a new subscription. Never waits."""
        self._news.append(message)
        if (link := self._link()) is not None:
            link.wake(self)

    def next_due(self) -> float | None:
        """Return when the budgets are looked at."""
        return self._due

    def work(self, store: Store) -> None:
        """Leave the rows that have changed, and learn what is left."""
        self._listener.subscribe(self._channel, self)
        news = {self._news.popleft() for _ in range(len(self._news))}
        self._due = time.monotonic() + BEAT
        for policy, budget in self._budgets().items():
            digest = digest_of((policy,))
            if news & {digest, ""} or self._is_news(policy, budget):
                self._ask(store, policy, digest, budget)

    def store_lost(self, _reason: str) -> None:
        """Let each process go by its own budget."""
        for budget in self._budgets().values():
            budget.go_alone()

    def store_back(self) -> None:
        """Ask for all budgets."""
        self._rows, self._due = {}, 0.0

    def reset_after_fork(self) -> None:
        """Go on in a forked child."""
        self._rows, self._due = {}, 0.0

    def describe(self) -> list[dict[str, Any]]:
        """Return what the processes have counted together, as plain data."""
        names = ("calls", "retries", "processes")
        return [
            {"policy": policy, **dict(zip(names, totals, strict=True))}
            for policy, totals in sorted(self._totals.items())
        ]

    def _budgets(self) -> dict[str, Budget]:
        shared = self._shared()
        return {} if shared is None else shared.budgets()

    def _is_news(self, policy: str, budget: Budget) -> bool:
        """Return whether a row has changed; calls alone are news only while there are retries in the fleet."""
        if policy not in self._rows:
            return True
        row, (_, retries, _) = _row_of(budget, self._clock()), self._totals[policy]
        is_old = time.monotonic() - self._asked_at[policy] > SPAN / 2  # what others have retried counts no more, maybe
        return (retries > 0 and is_old) or (row != self._rows[policy] and (retries > 0 or row[1] > 0))

    def _ask(self, store: Store, policy: str, digest: str, budget: Budget) -> None:
        made = budget.deposits.failures  # before the row: what comes meanwhile is taken off twice, and never forgotten
        row = _row_of(budget, self._clock())
        is_first = int(self._rows.get(policy, (0, 0))[1] == 0)
        arguments = [self._channel, digest, self._membership.member, *row, round(SPAN * 1000), is_first]
        answer = store.run(BUDGET, [f"{self._keys.tag('budget', (policy,))}rows"], arguments)
        calls, retries, members = map(int, answer)
        self._rows[policy], self._totals[policy] = row, (calls, retries, members)
        self._asked_at[policy] = time.monotonic()
        left = budget.limit_of(calls) - retries
        # Processes that have left no row may retry as well, as long as nobody has.
        sharers = members if retries else max(members, self._processes)
        budget.allow(ceil(left / sharers) if left >= 1 else 0, made)


def _row_of(budget: Budget, now: float) -> tuple[int, int]:
    """Return the calls and the retries of the last seconds."""
    calls, retries, _ = budget.deposits.recent(now)
    return calls, retries
