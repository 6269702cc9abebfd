"""Test that the sync and the async driver differ only where they must."""

from __future__ import annotations

import ast
from difflib import ndiff
from pathlib import Path

import resilience

DRIVERS = Path(resilience.__file__).parent / "_drivers"
TWINS = {"compile_sync": "compile_async", "call_through_gate": "call_through_gate"}
DIFFERENCES = {
    # An attempt is cancelled at its limit: by a timer of the loop under asyncio, by a cancel scope under trio. The
    # context may be left in a task other than the one that entered it, whose own context then stays.
    "compile_sync": """
        + timer = None
        - result = fn(*args, **kwargs) if kwargs else fn(*args)
        + if until != inf:
        + timer = begin(until, started, now)
        + if timer is None and until != inf:
        + result = limited_by_trio(fn, args, kwargs, until - started)
        + else:
        + result = (fn(*args, **kwargs) if kwargs else fn(*args))
        + if timer is not None and timer.end(error):
        + failed = timed_out(until - started)
        + else:
        - if token is not None:
        + if token is not None and get_context() is context:
        - else:
        - set_context(outer)
        + if timer is not None:
        + timer.end()
    """,
    # Here too. What a call holds whose loop was closed is taken back.
    "call_through_gate": """
        - gate = AttemptGate(plan, call.args, call.kwargs, deadline)
        + gate = AttemptGate(plan, call.args, call.kwargs, deadline, is_over=end_of_loop())
        - result = fn(*call.args, **call.kwargs)
        + result = limited(fn, call.args, call.kwargs, begun.until - gate.now)
        + if CONTEXT.get() is context:
    """,
}
"""The lines of the sync (-) and of the async driver (+) that have no counterpart, without `async` and `await`."""


def functions_of(name: str) -> dict[str, list[str]]:
    """Return the functions of a driver as lines of code, without docstrings, comments, `async` and `await`."""
    tree = ast.parse((DRIVERS / name).read_text(encoding="utf-8"))
    functions = {}
    for function in tree.body:
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            function.body = function.body[1:] if ast.get_docstring(function) else function.body
            code = ast.unparse(function)
            for word, replacement in (
                ("async ", ""),
                ("await ", ""),
                ("_async", "_sync"),
                ("ASYNC", "SYNC"),
                ("t_sync", "t"),
            ):
                code = code.replace(word, replacement)
            functions[function.name] = [line.strip() for line in code.splitlines() if line.strip()]
    return functions


def test_the_drivers_differ_only_where_they_must() -> None:
    """A change of one driver belongs into the other one too, or into the list of differences."""
    sync, asynchronous = functions_of("sync.py"), functions_of("async_.py")
    assert sync.keys() == TWINS.keys()
    for name, twin in TWINS.items():
        lines = [line for line in ndiff(sync[name], asynchronous[twin]) if line[0] in "+-"]
        expected = [line.strip() for line in DIFFERENCES[name].strip().splitlines()]
        assert sorted(lines) == sorted(expected), name
