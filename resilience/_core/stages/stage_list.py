"""Lists the built-in stages from the outermost to the innermost: one row each.

Everything that concerns all stages iterates over this list: the layers around a call, `describe()`, the sentences and
the diagram of the command line, and the warnings of `check`.
"""

from __future__ import annotations

from .admission_stage import AdmissionStage
from .attempt_timeout import AttemptTimeoutStage
from .breaker_stage import BreakerStage
from .budget import BudgetStage
from .built_in_stage import BuiltInStage
from .cache import CacheStage
from .custom_stage import CustomStages
from .deadline import DeadlineStage
from .fallback import FallbackStage
from .hedge import HedgeStage
from .quota_stage import QuotaStage
from .reconcile_stage import ReconcileStage
from .retry import RetryStage

__all__ = ["STAGES"]

STAGES: tuple[BuiltInStage, ...] = (
    FallbackStage(),
    CacheStage(),
    HedgeStage(),
    DeadlineStage(),
    RetryStage(),
    BudgetStage(),
    ReconcileStage(),
    BreakerStage(),
    QuotaStage(),
    AdmissionStage(),
    CustomStages(),
    AttemptTimeoutStage(),
)
"""The stages: up to the deadline around the whole call, from the breaker on before or around each attempt."""
