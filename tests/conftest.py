"""Settings of every test: hypothesis draws the same examples each time and measures no time."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")
