"""A scripted incident: a bot on the sandbox through an outage, a ban, an order of unknown outcome and a wrong key.

    python -m benchmarks.incident

draws the pictures of the docs from what happens in it. `Incident` is the incident itself: attach what is to watch it,
and let it run.
"""

from .scenario import Incident, Sample

__all__ = ["Incident", "Sample"]
