"""Puts the layers of the built-in stages around a compiled call, from the innermost to the outermost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.stages.built_in_stage import Layer, LayerInputs
from .._core.stages.stage_list import STAGES
from .routine_runner import run_routine, run_routine_async
from .system_clock import running_trio

__all__ = ["add_layers", "let_others_run", "let_others_run_async"]


def add_layers(call: Callable[..., Any], inputs: LayerInputs) -> Callable[..., Any]:
    """Return `call` with the layers of all stages that have one; unchanged where none has."""
    for stage in reversed(STAGES):
        layer = stage.layer(inputs)
        if layer is not None:
            call = (_layered_async if inputs.asynchronous else _layered_sync)(layer, call)
    return call


def _layered_sync(layer: Layer, call: Callable[..., Any]) -> Callable[..., Any]:
    def layered(*args: Any, **kwargs: Any) -> Any:
        return run_routine(layer(call, args, kwargs))

    return layered


def _layered_async(layer: Layer, call: Callable[..., Any]) -> Callable[..., Any]:
    async def layered(*args: Any, **kwargs: Any) -> Any:
        return await run_routine_async(layer(call, args, kwargs))

    return layered


def let_others_run() -> None:
    """Do nothing: the interpreter switches between threads by itself."""


async def let_others_run_async() -> None:
    """Let other tasks run, and take a cancellation that is due."""
    import asyncio

    trio = running_trio()
    await (asyncio.sleep(0) if trio is None else trio.lowlevel.checkpoint())
