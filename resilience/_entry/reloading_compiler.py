"""Compiles functions under a policy of a file so that they follow every reload of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from .._core.call.operation_info import OperationInfo
from .._pipeline.callables import check_callable, is_async
from .._pipeline.compiler import PolicyCompiler
from .recompile import recompiled

__all__ = ["ReloadingCompiler"]

P = ParamSpec("P")
T = TypeVar("T")


class ReloadingCompiler:
    """A `Compiler` that uses the compiler in force at each use. Safe across threads, tasks and event loops."""

    def __init__(self, get_current: Callable[[], PolicyCompiler]) -> None:
        self._get_current = get_current

    @property
    def current(self) -> PolicyCompiler:
        """The compiler of the policy that is in force."""
        return self._get_current()

    def compile(self, fn: Callable[P, T], info: OperationInfo | None = None) -> Callable[P, T]:
        """Return `fn` under the policy, recompiled after each reload."""
        check_callable(fn)
        self.current.compile(fn, info)  # raises here, and not at the first call, for what cannot be compiled
        return recompiled(lambda: self.current.compile(fn, info), asynchronous=is_async(fn))

    def compile_apply(self, *, asynchronous: bool) -> Callable[..., Any]:
        """Return `apply(fn, *args)`, recompiled after each reload."""
        return recompiled(lambda: self.current.compile_apply(asynchronous=asynchronous), asynchronous=asynchronous)
