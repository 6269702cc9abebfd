"""The real pipeline on virtual time: a service that fails, its clients, and what becomes of their requests.

Nothing sleeps and nothing is drawn by chance that a seed does not repeat. Sits on top of the public surface.

    >>> from resilience import Policies
    >>> scenario = Scenario(clients=2, troubles=(Trouble(start=2, end=4, kind="error"),), lasts=10)
    >>> run = run_job(Job("default", Policies.builtin().policy("default"), scenario))
    >>> run.figures.trouble["success"] < run.figures.success < 1
    True
"""

from .answers import UnavailableError
from .clients import Client, Watch, governed
from .compare import Comparison, Job, Run, run_job
from .files import load_scenario, shipped_scenarios
from .loop import VirtualClock, VirtualLoop, run_virtual
from .outcome import Outcome
from .run import simulate
from .scenario import Scenario
from .service import Service
from .troubles import Errors, Limit, Surge, Trouble

__all__ = [
    "Client",
    "Comparison",
    "Errors",
    "Job",
    "Limit",
    "Outcome",
    "Run",
    "Scenario",
    "Service",
    "Surge",
    "Trouble",
    "UnavailableError",
    "VirtualClock",
    "VirtualLoop",
    "Watch",
    "governed",
    "load_scenario",
    "run_job",
    "run_virtual",
    "shipped_scenarios",
    "simulate",
]
