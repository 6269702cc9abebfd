"""Lists the sections of a policy, one frozen class each.

To add a setting, add a field to its class: validation, the loader, the JSON schema and the reference read its
annotation. To add a section, add a class in a module like these, import it here, and add a field of `Policy`.
"""

from __future__ import annotations

from .breaker_settings import BreakerSettings, HalfOpenSettings
from .cache_settings import CacheSettings
from .limit_settings import AdmissionSettings, LaneSettings, QuotaSettings
from .outcome_settings import NO_VALUE, FallbackSettings, HedgeSettings, ReconcileSettings
from .retry_settings import BackoffSettings, BudgetSettings, RetrySettings, UnknownErrorSettings

__all__ = [
    "NO_VALUE",
    "AdmissionSettings",
    "BackoffSettings",
    "BreakerSettings",
    "BudgetSettings",
    "CacheSettings",
    "FallbackSettings",
    "HalfOpenSettings",
    "HedgeSettings",
    "LaneSettings",
    "QuotaSettings",
    "ReconcileSettings",
    "RetrySettings",
    "UnknownErrorSettings",
]
