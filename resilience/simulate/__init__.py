"""The real pipeline on virtual time: a service that fails, its clients, and what becomes of their requests.

Nothing sleeps and nothing is drawn by chance that a seed does not repeat. Sits on top of the public surface.
"""

from .answers import UnavailableError
from .clients import Client, Watch, governed
from .loop import VirtualClock, VirtualLoop, run_virtual
from .run import Outcome, simulate
from .scenario import Errors, Limit, Scenario, Surge, Trouble
from .service import Service

__all__ = [
    "Client",
    "Errors",
    "Limit",
    "Outcome",
    "Scenario",
    "Service",
    "Surge",
    "Trouble",
    "UnavailableError",
    "VirtualClock",
    "VirtualLoop",
    "Watch",
    "governed",
    "run_virtual",
    "simulate",
]
