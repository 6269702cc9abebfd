"""Adapts the rules of a wrapped client to ccxt: keys travel in `params`, and a rule outranks a method's name.

A rule that makes a `fetch_*` method a write makes all of its requests writes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..._core.call.operation_info import OperationInfo
from ..._entry.glob_checks import check_method_globs
from ..._entry.operation_rules import OperationRules
from ..._pipeline.callables import is_async
from ..._pipeline.observed_calls import observe
from ..._pipeline.pipeline import Pipeline
from .attempt import as_attempt
from .batch_attempt import batch_attempt, batch_info
from .batches import Batches
from .method_names import is_watch

__all__ = ["ExchangeRules"]


class ExchangeRules(OperationRules):
    """The rules of an exchange. A key that they name travels in `params`."""

    __slots__ = ("batches",)  # beside the `__dict__`, which is that of the rules they are made of
    batches: Batches | None

    def resolve(self, info: OperationInfo) -> tuple[Pipeline, OperationInfo]:
        """Return the pipeline and the info of an operation, with the key where ccxt takes it."""
        # Without the integration's own key, so that one which is there was named by a rule: the user has agreed to it.
        pipeline, resolved = super().resolve(replace(info, key=None))
        key, own = resolved.key, info.key
        consents = key is not None or resolved.make_key is not info.make_key
        if key is None:
            key = own
        elif "." not in key:
            # `own` may name several parameters, as in "params.clientOrderId|clientOid". If the rule's key is one of
            # them, all stay accepted.
            known = own is not None and key in own.partition(".")[2].split("|")
            key = own if known else f"params.{key}"
        # A key of the whole would be the client order id of all orders in it; a glob such as `create_*` may name one.
        changes: dict[str, Any] = {"key": None if info.settles_items else key}
        if consents:
            changes["needs_consent"] = False
        return pipeline, replace(resolved, **changes)

    def compile(self, fn: Callable[..., Any], info: OperationInfo) -> Callable[..., Any]:
        """Compile a method by the rules in force; one that waits for updates is only observed, whatever they say."""
        if is_watch(info.operation):
            return observe(self.resolve(info)[0], fn, info)
        attempt: Any = fn
        if info.read and not self.resolve(info)[1].read:
            method = attempt.__wrapped__
            attempt = as_attempt(method, method.__self__._resilience, asynchronous=is_async(fn), all_write=True)
        batch = None if self.batches is None else self.batches.of(self, info)
        if batch is None:
            return super().compile(attempt, info)
        return batch.compile(super().compile(batch_attempt(attempt, batch.venue), batch_info(info)), fn)

    def check_keys(self, operations: Any) -> None:
        """Refuse a key that a method, named in full, cannot carry, and a name that no operation has.

        Args:
            operations: the client, whose methods are those of the exchange.

        Raises:
            TypeError: the text names the glob and the method.
        """
        for glob, options in self._globs:
            _check_name(glob, operations)
            check_method_globs([glob], operations._engine)
            method = getattr(operations, glob, None) if "key" in options and glob.isidentifier() else None
            if method is not None:
                _check_key(glob, options["key"], method, operations)


def _check_name(glob: str, operations: Any) -> None:
    """Refuse ccxt's camelCase name of a method: its operation has the other name, so the options would be ignored."""
    if glob == glob.lower() or not glob.isidentifier() or getattr(operations, glob, None) is None:
        return
    info = operations.resilience_operation_info(glob, operations)
    if info is not None and info.operation != glob:
        raise TypeError(f"operations[{glob!r}] matches no call: write {info.operation!r}, the method's other name")


def _check_key(name: str, key: str, method: Callable[..., Any], operations: Any) -> None:
    if operations.resilience_operation_info(name, operations) is None:
        raise TypeError(f"operations[{name!r}]: {name}() sends no request, so it cannot carry a key")
    if is_watch(name):
        raise TypeError(f"operations[{name!r}]: {name}() waits for updates, so it cannot carry a key")
    parameters = inspect.signature(method).parameters
    if key.partition(".")[0] not in parameters and "params" not in parameters:
        raise TypeError(f"operations[{name!r}]: {name}() takes no `params`, so it cannot carry a key")
