"""The real pipeline on virtual time: a service that fails, its clients, and what becomes of their requests.

Nothing sleeps and nothing is drawn by chance that a seed does not repeat. Sits on top of the public surface.

    >>> from resilience import Policies
    >>> scenario = Scenario(clients=2, troubles=(Trouble(start=2, end=4, kind="error"),), lasts=10)
    >>> run = run_job(Job("default", Policies.builtin().policy("default"), scenario))
    >>> run.figures.trouble["success"] < run.figures.success < 1
    True
"""

from .clients import Client, Watch, governed
from .incidents import Errors, Limit, Surge, Trouble
from .outcome import Outcome
from .real_run_comparison import Comparison, Job, Run, run_job
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
