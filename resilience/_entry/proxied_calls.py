"""Puts the operations of a proxied client under their policies: methods, pages of generators, what is awaited later."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

from .._core.call.deferred_results import is_later
from .._core.call.idempotency_key import KeySlot
from .._core.call.operation_info import OperationInfo
from .._pipeline.callables import announces_awaitable, awaiting, is_async, route_calls
from .hand_outs import HandOut
from .later_call import (
    LaterCall,
    LaterCalls,
    LaterPages,
    MadeResult,
    attempt_await,
    attempt_enter,
    attempt_enter_async,
    start_task,
)
from .operation_rules import OperationRules
from .recompile import recompiled

__all__ = ["context_managers_under_policy", "method_under_policy", "own_method_under_policy", "pages_under_policy"]

_END: Any = object()


def method_under_policy(
    rules: OperationRules, operation: str, method: Callable[..., Any], hand_out: HandOut
) -> Callable[..., Any]:
    """Return a method under the policy of its operation, sync or async as it is.

    A method that is not async may return an awaitable all the same. That shows at its first call: from then on what it
    makes is put under the policy, and no longer the making of it.
    """
    if not is_async(method) and announces_awaitable(method):
        method = awaiting(method)
    info = OperationInfo(operation=operation, check_answers=True)
    if is_async(method) or rules.outbox is not None:  # a write is not done, for an outbox, when something is made
        return _compiled(rules, info, method)
    return _method_of_unknown_kind(rules, info, method, hand_out)


def _method_of_unknown_kind(
    rules: OperationRules, info: OperationInfo, method: Callable[..., Any], hand_out: HandOut
) -> Callable[..., Any]:
    makes_later_results = makes_results = False  # a method may do the one or the other, as its arguments say

    def probe(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        kind = type(result)
        if is_later(kind) or inspect.isgenerator(result) or inspect.isasyncgen(result):
            return MadeResult(result, args, kwargs)
        return result

    probe.__signature__ = _signature_of(method)  # type: ignore[attr-defined]  # the key's parameter is looked up in it
    probe.__qualname__ = getattr(method, "__qualname__", info.operation)
    call = _compiled(rules, info, probe)
    with_key = _with_key(rules, info, probe)
    later = later_calls(rules, info, method, hand_out)

    def under_policy(*args: Any, **kwargs: Any) -> Any:
        nonlocal makes_later_results, makes_results
        result = with_key(args, kwargs) if makes_later_results and not makes_results else call(*args, **kwargs)
        if type(result) is not MadeResult:
            makes_results = True
            return result
        if inspect.isgenerator(result.value):
            return _pages(rules, info, result.value, hand_out)
        if inspect.isasyncgen(result.value):
            return _pages_async(rules, info, result.value, hand_out)
        makes_later_results = True
        return _usable_later(later, result)

    return under_policy


def _usable_later(later: LaterCalls, made: MadeResult) -> Any:
    """Return what the caller can use as it would use what the method made: a coroutine, a task, or something else."""
    if inspect.iscoroutine(made.value):
        return LaterCall(later, made).wait()  # `asyncio.run` and `create_task` take nothing else
    if hasattr(made.value, "add_done_callback"):
        return start_task(LaterCall(later, made))
    kind = LaterPages if hasattr(type(made.value), "__aiter__") else LaterCall
    return kind(later, made)


def _signature_of(method: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(method)
    except (TypeError, ValueError):  # written in C, or an object made on demand: it may take anything
        parameters = inspect.Parameter
        return inspect.Signature(
            [parameters("args", parameters.VAR_POSITIONAL), parameters("kwargs", parameters.VAR_KEYWORD)]
        )


def own_method_under_policy(
    rules: OperationRules, name: str, method: Callable[..., Any], get_info: Any, get_name: Any, proxy: Any
) -> Callable[..., Any]:
    """Return a method of a client that describes its operations itself, or the method where it says it is none."""
    asynchronous = is_async(method)

    def under_policy(operation: str) -> Callable[..., Any]:
        info = get_info(operation, proxy)
        if info is None:
            return method
        return recompiled(lambda: rules.compile(method, info), asynchronous=asynchronous)

    if get_name is None:
        return under_policy(name)
    return route_calls(
        lambda args, kwargs: get_name(name, args, kwargs) or name, under_policy, asynchronous=asynchronous
    )


def _compiled(rules: OperationRules, info: OperationInfo, function: Callable[..., Any]) -> Callable[..., Any]:
    def build() -> Callable[..., Any]:
        rules.check_key_on_reload(info.operation, function)
        return rules.compile(function, info)

    return recompiled(build, asynchronous=is_async(function))


def _with_key(rules: OperationRules, info: OperationInfo, make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that makes something with these `args` and `kwargs`, and with the operation's key among them.

    What was made is the first attempt. Without the key, a lookup by the key would say of it that it did not happen.
    """

    def build() -> Callable[..., Any]:
        pipeline, resolved = rules.resolve(info)
        if resolved.key is None:
            return lambda args, kwargs: make(*args, **kwargs)
        keys = KeySlot(resolved.key, make, resolved.make_key or pipeline.shared.make_key)

        def with_key(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            _, args, kwargs = keys.fill(args, kwargs)
            return make(*args, **kwargs)

        return with_key

    return recompiled(build, asynchronous=False)


def later_calls(
    rules: OperationRules, info: OperationInfo, method: Callable[..., Any], hand_out: HandOut
) -> LaterCalls:
    """Return the ways to use what a method makes, each under the policy of its operation."""
    ways = []
    for make_attempt in (attempt_await, attempt_enter, attempt_enter_async):
        attempt = make_attempt(method)
        attempt.__signature__ = _signature_of(method)  # type: ignore[attr-defined]
        ways.append(_compiled(rules, info, attempt))
    wait, enter, enter_async = ways

    def pages(made: AsyncIterator[Any]) -> AsyncIterator[Any]:
        return _pages_async(rules, info, made, hand_out)

    return LaterCalls(wait, enter, enter_async, pages, hand_out)


def context_managers_under_policy(
    rules: OperationRules, operation: str, method: Callable[..., Any], hand_out: HandOut
) -> Callable[..., Any]:
    """Return a method that makes context managers so that entering one is under the policy of the operation."""
    info = OperationInfo(operation=operation)
    later = later_calls(rules, info, method, hand_out)

    def made(*args: Any, **kwargs: Any) -> MadeResult:
        return MadeResult(method(*args, **kwargs), args, kwargs)

    made.__signature__ = _signature_of(method)  # type: ignore[attr-defined]  # the key's parameter is looked up in it
    with_key = _with_key(rules, info, made)

    def make(*args: Any, **kwargs: Any) -> LaterCall:
        return LaterCall(later, with_key(args, kwargs))

    return make


def pages_under_policy(
    rules: OperationRules, operation: str, method: Callable[..., Any], hand_out: HandOut
) -> Callable[..., Any]:
    """Return a generator method so that each item is an attempt of the operation.

    A generator that has raised is at its end, so an item is never retried: what failed counts, the breaker can refuse
    the next item, and the error is explained.
    """
    info = OperationInfo(operation=operation)
    if inspect.isasyncgenfunction(method):
        return lambda *args, **kwargs: _pages_async(rules, info, method(*args, **kwargs), hand_out)
    return lambda *args, **kwargs: _pages(rules, info, method(*args, **kwargs), hand_out)


def _pages(rules: OperationRules, info: OperationInfo, made: Iterator[Any], hand_out: HandOut) -> Iterator[Any]:
    def next_page() -> Any:
        return next(made, _END)

    step = _compile_page(rules, info, next_page)
    try:
        while (page := step()) is not _END:
            yield hand_out.passed(page)
    finally:
        made.close()  # type: ignore[attr-defined]  # a generator


async def _pages_async(
    rules: OperationRules, info: OperationInfo, made: AsyncIterator[Any], hand_out: HandOut
) -> AsyncIterator[Any]:
    async def next_page() -> Any:
        return await anext(made, _END)

    step = _compile_page(rules, info, next_page)
    try:
        while (page := await step()) is not _END:
            yield hand_out.passed(page)
    finally:
        close = getattr(made, "aclose", None)  # a generator has one, and other iterators need none
        if close is not None:
            await close()


def _compile_page(rules: OperationRules, info: OperationInfo, step: Callable[..., Any]) -> Callable[..., Any]:
    pipeline, info = rules.resolve(info)
    once = replace(info, key=None, reconcile=None, make_key=None, send_once=True, check_answers=False)
    return pipeline.compile(step, once)
