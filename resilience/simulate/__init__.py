"""Runs the real pipeline on virtual time: clients send requests to a modelled service that fails.

No real time passes, and the same seed gives the same run.

    >>> from resilience import Policies
    >>> scenario = Scenario(clients=2, incidents=(Incident(start=2, end=4, kind="error"),), lasts=10)
    >>> run = run_job(Job("default", Policies.builtin().policy("default"), scenario))
    >>> run.figures.incident["success"] < run.figures.success < 1
    True
"""

from typing import Any

from .clients import Client, RunMonitor, policy_client
from .incidents import Errors, Incident, Limit, Surge
from .outcome import Outcome
from .policy_comparison import Comparison, Job, Run, run_job
from .run import simulate
from .scenario import Scenario
from .scenario_files import load_scenario, shipped_scenarios
from .service import Service
from .service_answers import UnavailableError
from .virtual_loop import VirtualClock, VirtualLoop, run_virtual

__all__ = [
    "Client",
    "Comparison",
    "Errors",
    "Incident",
    "Job",
    "Limit",
    "Outcome",
    "Run",
    "RunMonitor",
    "Scenario",
    "Service",
    "Surge",
    "UnavailableError",
    "VirtualClock",
    "VirtualLoop",
    "load_scenario",
    "policy_client",
    "run_job",
    "run_virtual",
    "shipped_scenarios",
    "simulate",
]

_RENAMED = {"Trouble": "Incident", "Watch": "RunMonitor", "governed": "policy_client"}


def __getattr__(name: str) -> Any:
    """Return what had this name in version 0.1, with a warning."""
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from warnings import warn

    warn(f"resilience.simulate.{name} is now {_RENAMED[name]}", DeprecationWarning, stacklevel=2)
    return globals()[_RENAMED[name]]
