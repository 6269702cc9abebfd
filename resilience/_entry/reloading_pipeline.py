"""The pipeline of a policy by its name: whoever holds it, or what was compiled by it, follows every reload."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from .._core.base.clock import Clock
from .._core.call.operation_info import OperationInfo
from .._core.call.plan import Plan
from .._core.classify.classifier import Classifier
from .._core.policy.policy import Policy
from .._core.stages.breaker import Breaker
from .._pipeline.callables import check_callable, is_async
from .._pipeline.pipeline import Pipeline
from .recompile import recompiled

__all__ = ["ReloadingPipeline"]

P = ParamSpec("P")
T = TypeVar("T")


class ReloadingPipeline(Pipeline):
    """Does what the pipeline does that is in force at each use. Safe across threads, tasks and event loops."""

    def __init__(self, now: Callable[[], Pipeline]) -> None:
        """Follow what `now` returns."""
        self._now = now

    def call(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
        """Call `fn(*args, **kwargs)` under the policy that is in force."""
        return self._now().call(fn, *args, **kwargs)

    async def acall(self, fn: Callable[..., Awaitable[T]], /, *args: Any, **kwargs: Any) -> T:
        """Await `fn(*args, **kwargs)` under the policy that is in force."""
        return await self._now().acall(fn, *args, **kwargs)

    def compile(self, fn: Callable[P, T], info: OperationInfo | None = None) -> Callable[P, T]:
        """Return `fn` under the policy, compiled anew after each reload; errors as for every pipeline."""
        check_callable(fn)
        self._now().compile(fn, info)  # what cannot be compiled is told here, not at the first call
        return recompiled(lambda: self._now().compile(fn, info), asynchronous=is_async(fn))

    def plan(self, fn: Callable[..., Any], info: OperationInfo) -> Plan:
        """Resolve the pipeline that is in force for one operation."""
        return self._now().plan(fn, info)

    @property
    def policy(self) -> Policy:  # type: ignore[override]  # it changes with each reload
        """The settings that are in force."""
        return self._now().policy

    @property
    def operation(self) -> str | None:  # type: ignore[override]
        """Name for functions that bring none."""
        return self._now().operation

    @property
    def stages(self) -> tuple[Any, ...]:  # type: ignore[override]
        """Parts of others."""
        return self._now().stages

    @property
    def breaker(self) -> Breaker | None:
        """The breaker of this pipeline's own calls, or None when the policy has none."""
        return self._now().breaker

    @property
    def classifier(self) -> Classifier:
        """What sorts this policy's errors."""
        return self._now().classifier

    @property
    def clock(self) -> Clock:
        """The time it goes by."""
        return self._now().clock

    def describe(self) -> dict[str, Any]:
        """Return what this pipeline does, as plain data."""
        return self._now().describe()

    @property
    def _shared(self) -> Any:  # type: ignore[override]
        return self._now()._shared
