"""Finds the points in the library's code at which CPython looks for signals, and calls a function at each of them."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import resilience

__all__ = ["each_opcode", "looks_for_signals"]

_OURS = str(Path(resilience.__file__).parent)
_LOOKS_FOR_SIGNALS = ("CALL", "JUMP_BACKWARD", "RESUME")
_DOES_NOT = ("CALL_INTRINSIC", "JUMP_BACKWARD_NO_INTERRUPT")


@contextmanager
def each_opcode(on_opcode: Callable[[FrameType, int], None]) -> Iterator[None]:
    """Call a function before each instruction of the library's code; it may raise, as if that instruction had."""
    if not hasattr(sys, "monitoring"):  # CPython 3.11

        def trace(frame: FrameType, event: str, _arg: Any) -> Any:
            if not frame.f_code.co_filename.startswith(_OURS):
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            if event == "opcode":
                on_opcode(frame, frame.f_lasti)
            return trace

        sys.settrace(trace)
        try:
            yield
        finally:
            sys.settrace(None)
        return
    monitoring: Any = sys.monitoring
    tool, event = monitoring.DEBUGGER_ID, monitoring.events.INSTRUCTION

    def on_instruction(code: CodeType, offset: int) -> Any:
        if not code.co_filename.startswith(_OURS):
            return monitoring.DISABLE
        on_opcode(sys._getframe(1), offset)
        return None

    monitoring.use_tool_id(tool, "interrupts")
    try:
        monitoring.register_callback(tool, event, on_instruction)
        monitoring.set_events(tool, event)
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)


@cache
def _handlers(code: CodeType) -> list[int | None]:
    """Return for each pair of bytes of the code where an exception that is raised there is handled."""
    handlers: list[int | None] = [None] * (len(code.co_code) // 2 + 1)
    for entry in dis._parse_exception_table(code):  # type: ignore[attr-defined]  # not in the stubs
        handlers[entry.start // 2 : entry.end // 2] = [entry.target] * (entry.end // 2 - entry.start // 2)
    return handlers


@cache
def looks_for_signals(code: CodeType, before: int, offset: int) -> bool:
    """Return whether CPython looks for signals between these two instructions.

    What it finds is raised by the first one, and here by the second: where another handler is in charge there, the
    point is left out. Calls of Python functions are counted too, although CPython looks when they begin.
    """
    name, handlers = dis.opname[code.co_code[before]], _handlers(code)
    looks = name.startswith(_LOOKS_FOR_SIGNALS) and not name.startswith(_DOES_NOT)
    return looks and handlers[before // 2] == handlers[offset // 2]
