"""Implements the retry budget: retries may be a share of the calls, with a floor for little traffic.

Over the last ten seconds, `max(ratio x calls, floor x 10 s)` retries are allowed. A share stops a retry storm where a
limit per call cannot: when everything fails, the load stays at (1 + ratio) times the calls. The model is `RetryBudget`
of Twitter's Finagle (20 % over ten seconds plus a minimum per second), which adds the two; here the larger one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..base.fork_safety import new_lock
from ..policy.policy import Policy
from ..policy.sections import BudgetSettings
from .built_in_stage import BuiltInStage, StageView, Warnings
from .outcome_window import OutcomeWindow

__all__ = ["SPAN", "Budget", "BudgetStage"]

SPAN = 10.0
"""Seconds over which calls and retries are counted."""


class Budget:
    """The retries that all calls of one policy share. Safe across threads and tasks.

    Attributes:
        settings: the share and the floor.
        deposits: the window of calls (as successes) and retries (as failures). A driver counts each call, inline.
    """

    __slots__ = ("_allowed", "_floor", "_lock", "_ratio", "deposits", "settings")

    def __init__(self, settings: BudgetSettings, now: float) -> None:
        self.settings = settings
        self._ratio = settings.ratio
        self._floor = settings.floor * SPAN
        self._lock = new_lock()
        self.deposits = OutcomeWindow(SPAN, now)
        self._allowed: int | None = None

    def allow(self, retries: int, made: int) -> None:
        """Make no more than so many retries until this is called again, because other processes retry too.

        Args:
            retries: how many are left for this process.
            made: how many retries this budget had ever made when that was computed. Those since then are taken off.
        """
        with self._lock:
            self._allowed = retries - (self.deposits.failures - made)

    def go_alone(self) -> None:
        """Follow the own share and floor alone."""
        self._allowed = None

    def retune(self, settings: BudgetSettings) -> None:
        """Allow another share from now on; calls and retries that were counted stay."""
        with self._lock:
            self.settings = settings
            self._ratio, self._floor = settings.ratio, settings.floor * SPAN

    def withdraw(self, now: float) -> bool:
        """Take one retry; False when the share is used up."""
        with self._lock:
            calls, retries, _ = self.deposits.counts(now)
            if retries + 1 > self.limit_of(calls) or (self._allowed is not None and self._allowed <= 0):
                return False
            if self._allowed is not None:
                self._allowed -= 1
            self.deposits.add_failure(now)
            return True

    def left(self, now: float) -> float:
        """Return how many retries are left at this moment. Takes no lock."""
        calls, retries, _ = self.deposits.recent(now)
        return self.limit_of(calls) - retries

    def limit_of(self, calls: int) -> float:
        """Return how many retries so many calls of the last seconds allow."""
        return max(self._ratio * calls, self._floor)

    def limit(self, now: float) -> float:
        """Return how many retries the calls of the last seconds allow, those that were made included. Takes no lock."""
        calls, _, _ = self.deposits.recent(now)
        return self.limit_of(calls)


class BudgetStage(BuiltInStage):
    """The share of retries among the calls of a policy."""

    name = "budget"

    def describe(self, view: StageView) -> Mapping[str, Any]:
        """Return the share and the floor."""
        rules = view.policy.budget
        return {"budget": None if rules is None else {"ratio": rules.ratio, "floor": rules.floor}}

    def sentences(self, described: Mapping[str, Any]) -> Iterator[str]:
        """Yield the limits, where there are retries."""
        if (budget := described["budget"]) is not None and described["max_attempts"] != 1:
            share, floor = f"{budget['ratio']:.0%}", f"{budget['floor']:g} per second"
            yield f"Retries are limited to {share} of the policy's calls, or to {floor} if that is more."

    def warnings(self, policy: Policy) -> Warnings:
        """Yield a budget that allows no retry at all."""
        rules, retry = policy.budget, policy.retry
        if rules is None or retry is None or retry.max_attempts == 1:
            return
        if rules.ratio == 0 and rules.floor * SPAN < 1:
            message = f"the budget allows no retry, so max_attempts of {retry.max_attempts} has no effect"
            yield ("budget.ratio", "budget.floor", "budget"), message
