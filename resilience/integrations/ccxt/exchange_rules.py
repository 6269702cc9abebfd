"""Adapts the rules of a wrapped client to ccxt: keys travel in `params`, and found orders are compared.

A rule outranks what the name and the verb of a method say: one that makes a `fetch_*` method a write makes all of its
requests writes.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..._core.call.operation_info import OperationInfo
from ..._core.call.reconcile import Found, InconclusiveLookupError
from ..._entry.operation_rules import OperationRules
from ..._pipeline.callables import is_async
from ..._pipeline.pipeline import Pipeline
from .attempt import as_attempt
from .order_results import is_same_key

__all__ = ["ExchangeRules"]


class ExchangeRules(OperationRules):
    """The rules of an exchange. A key that they name travels in `params`."""

    def resolve(self, info: OperationInfo) -> tuple[Pipeline, OperationInfo]:
        """Return the pipeline and the info of an operation, with the key where ccxt takes it."""
        # Without the integration's own key, so that one which is there was named by a rule: the user has agreed to it.
        pipeline, resolved = super().resolve(replace(info, key=None))
        key, own = resolved.key, info.key
        consents = key is not None or resolved.make_key is not info.make_key
        declared_write = info.read and (key is not None or resolved.reconcile is not None or not resolved.idempotent)
        if key is None:
            key = own
        elif "." not in key:
            # `own` may name several parameters, as in "params.clientOrderId|clientOid". If the rule's key is one of
            # them, all stay accepted.
            known = own is not None and key in own.partition(".")[2].split("|")
            key = own if known else f"params.{key}"
        reconcile = resolved.reconcile
        if reconcile is not None and reconcile is not info.reconcile:
            reconcile = _comparing(reconcile)
        changes: dict[str, Any] = {"key": key, "reconcile": reconcile}
        if consents:
            changes["needs_consent"] = False
        if declared_write:
            changes |= {"read": False, "idempotent": False if resolved.idempotent is info.idempotent else None}
        return pipeline, replace(resolved, **changes)

    def compile(self, fn: Callable[..., Any], info: OperationInfo) -> Callable[..., Any]:
        """Compile a method by the rules in force."""
        attempt: Any = fn
        if info.read and not self.resolve(info)[1].read:
            method = attempt.__wrapped__
            attempt = as_attempt(method, method.__self__._resilience, asynchronous=is_async(fn), all_write=True)
        return super().compile(attempt, info)

    def check_keys(self, operations: Any) -> None:
        """Refuse a key that a method, named in full, cannot carry.

        Args:
            operations: the client, whose methods are those of the exchange.

        Raises:
            TypeError: the text names the glob and the method.
        """
        for glob, options in self._globs:
            method = getattr(operations, glob, None) if "key" in options and glob.isidentifier() else None
            if method is None:
                continue
            if operations.resilience_operation_info(glob, operations) is None:
                raise TypeError(f"operations[{glob!r}]: {glob}() sends no request, so it cannot carry a key")
            name = options["key"].partition(".")[0]
            parameters = inspect.signature(method).parameters
            if name not in parameters and "params" not in parameters:
                raise TypeError(f"operations[{glob!r}]: {glob}() takes no `params`, so it cannot carry a key")


def _comparing(reconcile: Callable[..., Any]) -> Callable[..., Any]:
    """Return the user's lookup with each order that it found compared with the call."""
    if is_async(reconcile):

        @functools.wraps(reconcile)
        async def compare_async(call: Any) -> Any:
            return _compared(call, await reconcile(call))

        return compare_async

    @functools.wraps(reconcile)
    def compare(call: Any) -> Any:
        return _compared(call, reconcile(call))

    return compare


def _compared(call: Any, answer: Any) -> Any:
    """Return the answer of a lookup; as a foreign order if symbol or side differ.

    Raises:
        InconclusiveLookupError: the order that was found has another client id: the lookup has asked wrongly.
    """
    order = answer.value if isinstance(answer, Found) else None
    if not isinstance(order, Mapping) or call.key is None:
        return answer
    found = order.get("clientOrderId")
    if not is_same_key(found, call.key):
        raise InconclusiveLookupError(f"the lookup of {call.operation} returned an order with the client id {found!r}")
    given = _arguments(call)
    if any(order.get(name) not in (None, given[name]) for name in given):
        return replace(answer, matches=False)
    return answer


def _arguments(call: Any) -> dict[str, Any]:
    """Return symbol and side of a call of `create_order`, by name or by position, where they are given."""
    if call.operation != "create_order":
        return {}
    names = {"symbol": 0, "side": 2}
    given = {name: call.kwargs.get(name, call.args[i] if i < len(call.args) else None) for name, i in names.items()}
    return {name: value for name, value in given.items() if value is not None}
