"""Judges the figures of a run and says why, in sentences for people.

The thresholds are our own choice: at 2 attempts per request during an incident the policy doubles the load on a
service that cannot serve the load it has.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from .figures import Figures
from .scenario import Scenario

__all__ = ["Grade", "Verdict", "judge"]

Grade = Literal["good", "mixed", "harmful"]

_STORM, _HEAVY, _SPARING = 2.0, 1.35, 0.6  # attempts per request during an incident
_MIN_GOOD = 0.6  # share of the answers that must come within `soon`
_QUICK, _SLOW = 3.0, 15.0  # seconds of recovery


class Verdict(NamedTuple):
    """A grade and its reasons, each with a grade of its own. The whole is as good as its worst reason."""

    grade: Grade
    reasons: tuple[tuple[Grade, str], ...]

    @property
    def text(self) -> str:
        """The reasons as sentences."""
        return " ".join(f"{reason}." for _, reason in self.reasons)


def judge(figures: Figures, baseline: Figures | None, scenario: Scenario) -> Verdict:
    """Judge a policy's figures, against those of clients without a policy where they are given."""
    parts = [
        _judge_deceived(figures),
        _judge_success(figures, baseline, scenario),
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


def _judge_load(figures: Figures) -> tuple[Grade, str] | None:
    """Judge the load on the service during the incidents."""
    if figures.incident is None:
        return None
    attempts = figures.incident["attempts_per_request"]
    if attempts >= _STORM:
        return "harmful", f"retries multiply the load on the failing service by {attempts:.1f}"
    if attempts >= _HEAVY:
        return "mixed", f"retries add {attempts - 1:.0%} to the load on the failing service"
    if attempts < _SPARING:
        return "good", f"the failing service is spared: it gets {attempts:.2f} attempts per request"
    return "good", f"the failing service gets {attempts:.2f} attempts per request"


def _judge_recovery(figures: Figures, baseline: Figures | None, scenario: Scenario) -> tuple[Grade, str] | None:
    """Judge the recovery. A policy is not blamed if the service does not recover without a policy either."""
    if not figures.recovers:
        return None
    since = scenario.last_incident_end
    left = scenario.lasts - (0.0 if since is None else since)
    if figures.recovery is None:
        reason = f"requests had not recovered when the run ended, {left:g} s after the incident"
        if baseline is not None and baseline.recovery is None:
            return "mixed", f"{reason}; without a policy they had not either"
        return "harmful", reason
    grade: Grade = "good" if figures.recovery <= _QUICK else "mixed" if figures.recovery <= _SLOW else "harmful"
    when = "at once" if figures.recovery == 0 else f"{figures.recovery:.1f} s after the incident"
    return grade, f"requests recovered {when}"


def _judge_success(figures: Figures, baseline: Figures | None, scenario: Scenario) -> tuple[Grade, str] | None:
    """Judge the share of successful requests against the share without a policy."""
    if baseline is None:
        return None
    if figures.incident is not None and baseline.incident is not None:
        with_policy, without, when = figures.incident["success"], baseline.incident["success"], "during the incident"
    else:
        with_policy, without, when = figures.success, baseline.success, "over the whole run"
    # A service that answers nobody cannot be helped by any policy.
    if without < 0.02 and with_policy < 0.02:
        return None  # no policy could have helped
    reason = f"{with_policy:.0%} of the requests succeeded {when}, {without:.0%} without a policy"
    good = figures.incident["good"] if figures.incident is not None else figures.good
    if good < _MIN_GOOD * with_policy:
        return "mixed", f"{reason}, but only {good:.0%} were answered within {scenario.soon:g} s"
    grade: Grade = "good" if with_policy >= without - 0.02 else "mixed" if with_policy >= without - 0.10 else "harmful"
    return grade, reason
