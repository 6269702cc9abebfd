"""Judges the figures of a run and says why, in sentences for people.

The thresholds are our own choice: at 2 attempts per request during an incident the policy doubles the load on a
service that cannot serve the load it has.
"""

from __future__ import annotations

from typing import NamedTuple

from .figures import Figures
from .recovery_time import HELD
from .scenario import Scenario
from .success_verdict import FEW, Grade, judge_success

__all__ = ["Grade", "Verdict", "judge"]

_STORM, _HEAVY, _SPARING = 2.0, 1.35, 0.6  # attempts per request during an incident
_QUICK, _SLOW = 3.0, 15.0  # seconds of recovery


class Verdict(NamedTuple):
    """A grade and its reasons, each with a grade of its own. The whole is as good as its worst reason."""

    grade: Grade
    reasons: tuple[tuple[Grade, str], ...]

    @property
    def text(self) -> str:
        """The reasons as sentences."""
        return " ".join(f"{reason}." for _, reason in self.reasons)


def judge(figures: Figures, baseline: Figures | None, scenario: Scenario, *, quota: float | None = None) -> Verdict:
    """Judge a policy's figures, against those of clients without a policy where they are given.

    Args:
        figures: the figures of the policy.
        baseline: the figures without a policy.
        scenario: what was simulated.
        quota: the lowest rate per second that the policy's quota allows.
    """
    if not figures.counted:
        return Verdict("mixed", (("mixed", "No request had its full time, so the run says nothing"),))
    parts = [
        _judge_deceived(figures),
        _judge_quota(quota, scenario),
        *judge_success(figures, baseline, scenario),
        _judge_load(figures),
        _judge_recovery(figures, baseline, scenario),
    ]
    reasons = [part for part in parts if part is not None]
    if not reasons:
        grade: Grade = "good" if figures.good >= 0.99 else "mixed"
        reasons = [(grade, f"{figures.good:.1%} of the requests got a good answer")]
    grades = [grade for grade, _ in reasons]
    worst: Grade = "harmful" if "harmful" in grades else "mixed" if "mixed" in grades else "good"
    return Verdict(worst, tuple((grade, reason[0].upper() + reason[1:]) for grade, reason in reasons))


def _judge_deceived(figures: Figures) -> tuple[Grade, str] | None:
    if not figures.deceived:
        return None
    share = figures.deceived / max(1, figures.offered)
    return (
        "harmful",
        f"{share:.1%} of the callers took an error for a success: `codes` of the policy lacks the registry",
    )


def _judge_quota(quota: float | None, scenario: Scenario) -> tuple[Grade, str] | None:
    """Say that the quota delays calls, where it leaves no attempt for a retry: the other reasons follow from it."""
    if quota is None or quota > scenario.rate:
        return None
    demand = f"a client of the scenario makes {scenario.rate:g} requests per second"
    return "mixed", f"the quota allows {quota:g} attempts per second, and {demand}: calls wait for the quota"


def _judge_load(figures: Figures) -> tuple[Grade, str] | None:
    """Judge the load on the service during the incidents."""
    if figures.incident is None:
        return None
    attempts = figures.incident["attempts_per_request"]
    if attempts >= _STORM:
        # A few requests are no storm, whatever becomes of each.
        few = figures.incident["offered"] < FEW
        return "mixed" if few else "harmful", f"retries multiply the load on the failing service by {attempts:.1f}"
    if attempts >= _HEAVY:
        return "mixed", f"retries add {attempts - 1:.0%} to the load on the failing service"
    if attempts < _SPARING:
        return "good", f"the failing service is spared: it gets {attempts:.2f} attempts per request"
    return "good", f"the failing service gets {attempts:.2f} attempts per request"


def _judge_recovery(figures: Figures, baseline: Figures | None, scenario: Scenario) -> tuple[Grade, str] | None:
    """Judge the recovery. A policy is not blamed if the service does not recover sooner without a policy."""
    if not figures.recovers:
        return None
    if figures.recovery is None:
        return _judge_no_recovery(figures, baseline, scenario)
    # Nothing can be seen before the next request, which comes late from a quiet client.
    late = figures.recovery - (figures.first_request or 0.0)
    when = "at once" if figures.recovery == 0 else f"{figures.recovery:.1f} s after the incident"
    reason = f"requests recovered {when}" if late or not figures.recovery else f"requests recovered at once, {when}"
    if late <= _SLOW or baseline is None:
        return "good" if late <= _QUICK else "mixed" if late <= _SLOW else "harmful", reason
    if baseline.recovery is None:
        return "mixed", f"{reason}; without a policy they had not"
    if baseline.recovery + _QUICK >= figures.recovery:
        return "mixed", f"{reason}; without a policy {baseline.recovery:.1f} s after it"
    return "harmful", reason


def _judge_no_recovery(figures: Figures, baseline: Figures | None, scenario: Scenario) -> tuple[Grade, str]:
    """Judge a run in which no recovery was seen: it may have been too short for one."""
    left = scenario.lasts - (scenario.last_incident_end or 0.0)
    seen, well = left - scenario.soon, figures.good_again or 0.0
    if (figures.first_request or 0.0) >= seen:
        return "mixed", f"the run ends {left:g} s after the incident, too early to see whether requests recover"
    if well > 0 and well >= min(HELD, seen) / 2:
        return "mixed", f"requests were good for {well:.1f} s at the end of the run, too short to call them recovered"
    reason = f"requests had not recovered when the run ended, {left:g} s after the incident"
    if baseline is not None and baseline.recovery is None:
        return "mixed", f"{reason}; without a policy they had not either"
    return "harmful", reason
