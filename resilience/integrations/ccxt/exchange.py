"""Wraps an exchange of ccxt, sync or async: every call that talks to the exchange is under a policy.

A unified method is one operation with its own attempts. Each attempt runs on an *engine*, an exchange of a class
made here that shares the original's state, so that the calls which ccxt makes inside a call belong to its attempt.
The engine passes the attempt's time to ccxt's `timeout`, reports the stamp that was signed, keeps ccxt from
retrying by itself, and records what was sent. The only importer of ccxt.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import ccxt  # type: ignore[import-untyped]  # ccxt has no types
from ccxt.base.types import Entry  # type: ignore[import-untyped]  # the same

from ..._core.call.operation_info import OperationInfo
from ..._entry.operation_rules import OperationRules
from ..._entry.proxy import proxy_class
from ..._pipeline.callables import is_async
from ..._pipeline.failure_needs import load_tables
from ..._printable import printable
from ...config.codes.code_tables import CodeRegistry, is_known
from ...errors import QuotaExceededError
from ...telemetry.redaction import redact
from .._client_classes import rejection_types
from .._order_lanes import lane_of
from ..requests import disable_retries, guard_connections
from .attempt import as_attempt, as_watch
from .batches import Batches
from .dry_run import Engines
from .engine_state import ErrorClasses
from .exchange_rules import ExchangeRules
from .method_names import (
    MethodInfo,
    describe_implicit_method,
    describe_unified_method,
    is_socket_call,
    is_watch,
)

__all__ = ["REJECTION_TYPES", "wrap"]

REJECTION_TYPES: Mapping[type, type] = rejection_types(ccxt.NetworkError, __name__, "Ccxt")
"""Our rejection classes → subclasses that also inherit `ccxt.NetworkError`."""
_ERRORS = ErrorClasses(
    unreadable=ccxt.BadResponse,
    partial=ccxt.ExchangeError,
    timeout=ccxt.RequestTimeout,
    rate_limit=REJECTION_TYPES[QuotaExceededError],
    bad_request=ccxt.BadRequest,
    stamp=ccxt.InvalidNonce,
)


def wrap(exchange: Any, rules: OperationRules) -> Any:
    """Return a proxy of the exchange with every call that talks to it under a policy."""
    for logger in (logging.getLogger("ccxt.base.exchange"), exchange.logger):
        if isinstance(logger, logging.Logger):
            logger.addFilter(_redact_record)
    for adapter in getattr(exchange.session, "adapters", {}).values():
        disable_retries(adapter)
        guard_connections(adapter)
    # The same rules, state and all, with another `resolve`.
    exchange_rules = object.__new__(ExchangeRules)
    exchange_rules.__dict__ = rules.__dict__
    exchange_rules.batches = None
    operations = _Operations(exchange)
    exchange_rules.check_keys(operations)
    load_tables(operations._registry())
    wrapped = proxy_class(type(exchange))(operations, exchange_rules)
    exchange_rules.batches = Batches(operations, operations._engines, wrapped)
    engine, info = operations._engine, operations.resilience_operation_info("load_markets", wrapped)
    if info is not None:
        # Without a reference to `wrapped`: a method of it may be used when it is gone itself.
        engine._resilience.compile_loading = functools.partial(_compile_loading, exchange_rules, info)
    return wrapped


def _compile_loading(rules: ExchangeRules, info: OperationInfo, load: Any, *, for_cancel: bool) -> Any:
    return rules.compile(load, replace(info, prepares_cancel=for_cancel))


def _redact_record(record: logging.LogRecord) -> bool:
    """Redact and escape a record of ccxt's log, which quotes answers; a logging filter that lets every record pass."""
    record.msg, record.args = printable(redact(record.getMessage()), keep="\n\t"), ()
    return True


class _Operations:
    """The client that the proxy wraps: each method that talks to the exchange is a single attempt on the engine."""

    def __init__(self, exchange: Any) -> None:
        self.__dict__["_engines"] = engines = Engines(exchange, _ERRORS)
        self.__dict__["_engine"] = engines.engine

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__dict__["_engine"], name)
        if name.startswith("_") or not inspect.ismethod(value) or self._method_info(name) is None:
            return value
        # Stored on the instance: the next access finds it without `__getattr__`.
        if is_watch(str(getattr(value, "__name__", ""))):
            attempt = as_watch(value)
        else:
            attempt = as_attempt(value, self._engine._resilience, asynchronous=self._engines.asynchronous)
        self.__dict__[name] = attempt
        return attempt

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__.pop(name, None)
        setattr(self._engine, name, value)

    def __delattr__(self, name: str) -> None:
        self.__dict__.pop(name, None)
        delattr(self._engine, name)

    def __copy__(self) -> Any:
        return type(self)(copy(self._engines.original))

    def __dir__(self) -> list[str]:
        return dir(self._engine)

    def __repr__(self) -> str:
        return repr(self._engine)

    def __str__(self) -> str:
        return str(self._engine)

    async def __aenter__(self) -> Any:
        await self._engine.__aenter__()
        return self

    def resilience_operation_info(self, name: str, wrapped: Any) -> OperationInfo | None:
        """Return what is known of an operation, or None if the method does not talk to the exchange."""
        method = self._method_info(name)
        if method is None:
            return None
        if method.key is not None and "params" not in inspect.signature(getattr(self._engine, name)).parameters:
            method = method._replace(key=None)
        if is_watch(method.operation):
            return OperationInfo(operation=method.operation, read=True, registry=self._registry(), host=self._host())
        fields: dict[str, Any] = {"key": method.key, "idempotent": method.read or method.idempotent}
        if self._engines.support is not None:
            fields |= self._engines.support.describe(method, wrapped)
        else:
            # What shape of key the exchange accepts is not known: its orders get none that nobody asked for.
            state = self._engine._resilience
            # Over a socket no stamp is corrected: nothing there says when it was sent.
            can_resync = not is_socket_call(method.operation) and state.clock.can_correct(state.original)
            fields |= {"needs_consent": True, "can_resync_clock": can_resync}
        return OperationInfo(
            operation=method.operation,
            read=method.read,
            always_sent=method.operation == "fetch_time" or method.operation.startswith("load_"),
            registry=self._registry(),
            host=self._host(),
            path=method.path,
            venue=self._engine.id,
            # A digest tells accounts apart, for quotas by account, and gives the key away to nobody.
            account=sha256(str(self._engine.apiKey or "").encode()).hexdigest()[:8],
            lane=None if method.read else lane_of(method.operation),
            rejection_types=REJECTION_TYPES,
            classify_results=False,
            **fields,
        )

    def _method_info(self, name: str) -> MethodInfo | None:
        engine: Any = type(self._engine)
        endpoint = _endpoints(engine).get(name.replace("_", "").lower())
        if endpoint is not None:
            support = self._engines.support
            reads_by_get = support is not None and support.reads_by_get
            return describe_implicit_method(
                name, endpoint.method, endpoint.path, endpoint.api, reads_by_get=reads_by_get
            )
        method = getattr(self._engine, name, None)
        if not inspect.ismethod(method) or (self._engines.asynchronous and not is_async(method)):
            return None
        return describe_unified_method(name, method, self._engine.has)

    def _registry(self) -> str:
        support = self._engines.support
        named = self._engine.id if support is None or support.registry is None else support.registry
        # A class that ccxt derives from another exchange's, as for a site of its own, has the codes of that one.
        names = (named, *(kind.__name__ for kind in type(self._engine).__mro__))
        known = next(filter(is_known, names), "ccxt")
        # The table is loaded here, when the exchange is wrapped, and not at the first failure.
        return CodeRegistry.builtin(known).name

    def _host(self) -> str:
        urls = self._engine.urls.get("api")
        first = next(iter(urls.values()), "") if isinstance(urls, Mapping) else urls
        return urlsplit(str(self._engine.implode_hostname(str(first or "")))).netloc


@functools.cache
def _endpoints(engine_class: Any) -> Mapping[str, Any]:
    """Return the endpoints of a class by the names of their methods, in lower case without underscores.

    ccxt replaces the camelCase names of endpoints with plain functions, so they are found by the other names.
    """
    endpoints: dict[str, Any] = {}
    for base in reversed(engine_class.__mro__):
        endpoints |= {
            name.replace("_", "").lower(): value for name, value in vars(base).items() if isinstance(value, Entry)
        }
    return endpoints
