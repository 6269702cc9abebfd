"""Turns the arguments of `resilience simulate` into jobs: which policies of which files run."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PolicyError
from .policy_files import find_policy

if TYPE_CHECKING:
    from .._core.policy.policy_set import PolicySet
    from ..simulate.policy_comparison import Job
    from ..simulate.scenario import Scenario

__all__ = ["baseline_job", "simulation_jobs"]

_MAX_POLICIES = 12  # on one page


def simulation_jobs(files: Sequence[str], policies: Sequence[str], scenario: Scenario, seed: int) -> list[Job]:
    """Return a job for each policy that is to run.

    Args:
        files: paths of policy files; without any the built-in policies are used.
        policies: the policies' names; without any each file's own policies are used.
        scenario: what they run under.
        seed: of all randomness.

    Raises:
        PolicyError: a file has mistakes, a policy does not exist, or there are too many.
    """
    from ..config.loading.builtin_policies import builtin
    from ..config.loading.policy_file import load
    from ..simulate.policy_comparison import Job

    jobs: list[Job] = []
    for file, label in _labels(files).items():
        loaded = load(file, report=None) if file else builtin()
        names = dict.fromkeys(policies or _default_policies(loaded, builtin(), scenario))
        jobs += [Job(label + name, find_policy(name, loaded), scenario, seed, file, loaded.tables) for name in names]
    if len(jobs) > _MAX_POLICIES:
        raise PolicyError(f"{len(jobs)} policies: at most {_MAX_POLICIES} can be compared; choose some with --policy")
    return jobs


def baseline_job(scenario: Scenario, seed: int) -> Job:
    """Return the job of clients without a policy."""
    from ..simulate.policy_comparison import Job

    return Job("no policy", None, scenario, seed)


def _labels(files: Sequence[str]) -> dict[str, str]:
    """Return the label before a policy's name, by file: the file's stem, or its path if two files have that stem."""
    # The same file given twice runs once.
    paths = list(dict.fromkeys(files)) or [""]
    stems = [Path(path).stem for path in paths]
    if len(paths) == 1:
        return {paths[0]: ""}
    return {path: f"{stem if stems.count(stem) == 1 else path}: " for path, stem in zip(paths, stems, strict=True)}


def _default_policies(loaded: PolicySet, below: PolicySet, scenario: Scenario) -> Sequence[str]:
    """Return the policy that `operations` names for the scenario's operation, else all that the file itself defines."""
    if scenario.operation != "request":  # the default, which is not an operation's name
        for rule in loaded.operations:
            if rule.policy is not None and fnmatchcase(scenario.operation, rule.match):
                return [rule.policy]
    # Compared by content: the file's layer may be read, and the built-in one compiled.
    own = [name for name, policy in loaded.policies.items() if below.policies.get(name) != policy]
    return own or ["default"]
