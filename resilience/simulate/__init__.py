"""The real pipeline on virtual time: a service that fails, its clients, and what becomes of their requests.

Nothing sleeps and nothing is drawn by chance that a seed does not repeat. Sits on top of the public surface.
"""

from .clients import Client, governed
from .loop import VirtualClock, VirtualLoop, run_virtual
from .run import Outcome, Scenario, simulate
from .service import Service, Trouble, UnavailableError

__all__ = [
    "Client",
    "Outcome",
    "Scenario",
    "Service",
    "Trouble",
    "UnavailableError",
    "VirtualClock",
    "VirtualLoop",
    "governed",
    "run_virtual",
    "simulate",
]
