"""Test that functions which are written twice, for sync and for async callers, differ only where they must.

What stands on the way of every successful call is written twice, because a routine costs about a microsecond there.
"""

from __future__ import annotations

import ast
from difflib import ndiff
from pathlib import Path

import pytest

import resilience

HOME = Path(resilience.__file__).parent
WORDS = {"_async": "_sync", "async ": "", "await ": "", "asleep": "sleep", "aclose": "close", "__a": "__"}
WORDS |= {"ASYNC": "SYNC", "AsyncIter": "Iter", "apoll": "poll", "areplay": "replay", "aresume": "resume"}
"""What is one in the sync and in the async twin; `_sync` is taken out in the end."""
DIFFERENCES = {
    # An attempt is cancelled at its limit: by a timer of the loop under asyncio, by a cancel scope under trio. The
    # context may be left in a task other than the one that entered it, whose own context then stays. What a
    # task that waits does not need is dropped.
    ("_drivers/sync.py:compile_sync", "_drivers/async_.py:compile_async"): """
        - slot = new_slot(args, kwargs, None)
        + slot = new_slot(args, kwargs, end_of_loop())
        + timer = None
        + token = timer = None
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
        + if token is not None and _get_context() is context:
        - else:
        - _set_context(outer)
        + if timer is not None:
        + timer.end()
    """,
    # Here too. What a call holds whose loop was closed is taken back.
    ("_drivers/sync.py:call_through_gate", "_drivers/async_.py:call_through_gate"): """
        - gate = AttemptGate(plan.gate, call, deadline)
        + gate = AttemptGate(plan.gate, call, deadline, is_over=end_of_loop())
        - result = fn(*call.args, **call.kwargs)
        + result = limited(fn, call.args, call.kwargs, begun.until - gate.now)
        + if CONTEXT.get() is context:
    """,
    ("_drivers/slow_path_runner.py:carry_out", "_drivers/slow_path_runner.py:carry_out_async"): "",
    # A coroutine cannot let a StopIteration through either.
    ("_drivers/routine_runner.py:run_routine", "_drivers/routine_runner.py:run_routine_async"): """
        + if is_awaitable(result):
        + result = result
        - except RuntimeError as converted:
        - if thrown is not None and converted.__cause__ is thrown and isinstance(thrown, StopIteration):
        - raise thrown from None
        - raise
    """,
    ("_entry/proxy.py:_enter", "_entry/proxy.py:_enter_async"): "",
    ("_entry/recompile.py:call", "_entry/recompile.py:call_async"): """
        - return run(*args, **kwargs) if kwargs else run(*args)
        + return (run(*args, **kwargs) if kwargs else run(*args))
    """,
    ("_pipeline/own_answers.py:check_answers_sync", "_pipeline/own_answers.py:check_answers_async"): "",
    # A claim of a closed loop is taken back, and the context may be left in another task.
    ("_pipeline/success_reports.py:report_successes_sync", "_pipeline/success_reports.py:report_successes_async"): "",
    ("_pipeline/keys_in_use.py:claim_key_sync", "_pipeline/keys_in_use.py:claim_key_async"): """
        - holder, claim, around = (_Holder(), (scope, key), held.get())
        + holder, claim, around, token = (_Holder(), (scope, key), held.get(), None)
        + holder.is_over = end_of_loop()
        - held.set((*around, holder))
        + token = held.set((*around, holder))
        - held.set(around)
        + if token is not None:
        + reset_variable(held, token)
    """,
    ("_pipeline/pipeline.py:call", "_pipeline/pipeline.py:acall"): """
        - apply = self._apply = self._compiler.compile_apply(asynchronous=False)
        + apply = self._apply = self._compiler.compile_apply(asynchronous=True)
    """,
    # httpx bounds the time in which an async body is read by itself.
    ("integrations/httpx/answers.py:judge_answer", "integrations/httpx/answers.py:judge_answer_async"): """
        - raw = b''.join(stream)
        + raw = b''.join([part for part in stream])
    """,
    ("integrations/httpx/client.py:_send", "integrations/httpx/client.py:_send_async"): """
        + self._resilience.loop.check(REJECTION_TYPES)
    """,
    (
        "integrations/httpx/client.py:_send_single_request",
        "integrations/httpx/client.py:_send_single_request_async",
    ): """
        - response = bound_body(send(self, request))
        + response = send(self, request)
    """,
    ("integrations/httpx/client.py:attempt", "integrations/httpx/client.py:attempt_async"): """
        - copy, attempt = prepare(request, idempotency_key, asynchronous=False)
        + copy, attempt = prepare(request, idempotency_key, asynchronous=True)
    """,
    ("integrations/httpx/single_request.py:send", "integrations/httpx/single_request.py:send_async"): """
        - return _read(client.request(method, url, **_arguments(headers, data, timeout, asynchronous=False)))
        + return _read(client.request(method, url, **_arguments(headers, data, timeout, asynchronous=True)))
    """,
    ("integrations/httpx/transport.py:attempt", "integrations/httpx/transport.py:attempt_async"): """
        - copy = copy_request(request, options, idempotency_key, _NO_LIMIT, asynchronous=False)
        - check_before_sending(copy, asynchronous=False)
        + copy = copy_request(request, options, idempotency_key, _NO_LIMIT, asynchronous=True)
        + check_before_sending(copy, asynchronous=True)
        - response = bound_body(report_rate_limits(transport.handle_request(copy)))
        + response = report_rate_limits(transport.handle_request(copy))
        - return _with_body(response, b''.join(stream))
        + return _with_body(response, b''.join([part for part in stream]))
    """,
    # Sockets are of async exchanges alone: there ccxt gives one error to all calls, and one login serves them.
    ("integrations/ccxt/attempt.py:send", "integrations/ccxt/attempt.py:send_async"): """
        - return _checked(state, attempt, method(*args, **kwargs), args, kwargs)
        + return _checked(state, attempt, send_once(*args, **kwargs), args, kwargs)
    """,
    ("integrations/ccxt/set_up_methods.py:prepare", "integrations/ccxt/set_up_methods.py:prepare_async"): """
        - return method(self, *args, **kwargs)
        + preparing = method(self, *args, **kwargs)
        + return (_login(self, preparing) if signs_in(name) else preparing)
    """,
    # In an event loop the row is stored by a thread, and a cancellation waits for it.
    ("outbox/open_row.py:get_ready", "outbox/open_row.py:aget_ready"): """
        + if self.pending is None:
        + else:
        + poll(self._aadd_row, self._clock, until)
        + self._needs_check, self.was_busy = (True, False)
    """,
    ("outbox/outbox.py:replay", "outbox/outbox.py:areplay"): "",
}
"""The twins, with the lines of the sync (-) and of the async one (+) that have no counterpart."""


def lines_of(place: str) -> list[str]:
    """Return the body of a function as lines of code, without docstrings, comments, `async` and `await`."""
    name, _, wanted = place.partition(":")
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse((HOME / name).read_text(encoding="utf-8"))
    found = next(node for node in ast.walk(tree) if isinstance(node, functions) and node.name == wanted)
    for node in ast.walk(found):
        if isinstance(node, functions) and ast.get_docstring(node):
            node.body = node.body[1:]
    code = "\n".join(ast.unparse(statement) for statement in found.body)
    for word, replacement in WORDS.items():
        code = code.replace(word, replacement)
    return [line.strip() for line in code.replace("_sync", "").splitlines() if line.strip()]


@pytest.mark.parametrize("twins", DIFFERENCES, ids=lambda twins: twins[1].rpartition("/")[2])
def test_twins_differ_only_where_they_must(twins: tuple[str, str]) -> None:
    """A change of one twin belongs into the other one too, or into the list of differences."""
    sync, asynchronous = (lines_of(place) for place in twins)
    lines = [line for line in ndiff(sync, asynchronous) if line[0] in "+-"]
    expected = [line.strip() for line in DIFFERENCES[twins].strip().splitlines()]
    assert sorted(lines) == sorted(expected)
