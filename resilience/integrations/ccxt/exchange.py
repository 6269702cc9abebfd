"""ccxt: an exchange under a policy, sync and async. The only importer of ccxt.

A unified call is one operation with its own attempts. Each attempt runs on an *engine*, an exchange
of a class made here that shares the original's state: calls that ccxt makes inside a call stay in
that attempt. The engine hands the attempt's time to ccxt's `timeout`, tells the stamp that was
signed, keeps ccxt from retrying by itself, and sees which request of a call failed: as long as
nothing but reads was sent, nothing can have happened.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import ccxt  # type: ignore[import-untyped]  # ccxt brings no types
from ccxt.base.types import Entry  # type: ignore[import-untyped]  # nor here

from ..._core.call.operation_info import OperationInfo
from ..._entry.operation_rules import OperationRules
from ..._entry.proxy import proxy_class
from ..._pipeline.callables import is_async
from ..._pipeline.pipeline import Pipeline
from ...config.codes.code_tables import is_known
from ...telemetry.redaction import redact
from .._http_rules import refusals
from .._order_lanes import lane_of
from ..requests import without_retries
from .dry_run import Handle
from .engine_state import Parts
from .method_names import Kind, implicit, unified
from .requests_sent import ATTEMPT, Attempt

__all__ = ["REFUSALS", "wrap"]

REFUSALS: Mapping[type, type] = refusals(ccxt.NetworkError, __name__, "Ccxt")
"""Our refusals as ccxt's users catch them."""
_PARTS = Parts(
    unreadable=ccxt.BadResponse,
    partial=ccxt.ExchangeError,
    late=ccxt.RequestTimeout,
    crowded=ccxt.RateLimitExceeded,
    wrong=ccxt.BadRequest,
)


def wrap(exchange: Any, rules: OperationRules) -> Any:
    """Return the exchange with every call that talks to it under a policy; everything else is as it was."""
    for logger in (logging.getLogger("ccxt.base.exchange"), exchange.logger):
        if isinstance(logger, logging.Logger):
            logger.addFilter(_redacted)
    for adapter in getattr(exchange.session, "adapters", {}).values():
        without_retries(adapter)
    in_params = object.__new__(_Rules)
    in_params.__dict__ = rules.__dict__
    return proxy_class(type(exchange))(_Exchange(exchange), in_params)


class _Rules(OperationRules):
    """The rules of an exchange: a key that they name travels in `params`."""

    def resolve(self, info: OperationInfo) -> tuple[Pipeline, OperationInfo]:
        """Return the pipeline and the binding, with the key where ccxt takes it."""
        pipeline, bound = super().resolve(info)
        key, own = bound.key, info.key
        if key is None or key == own or "." in key:
            return pipeline, bound
        taken = own is not None and key in own.partition(".")[2].split("|")
        return pipeline, replace(bound, key=own if taken else f"params.{key}")


def _redacted(record: logging.LogRecord) -> bool:
    """Take keys and signatures out of what ccxt logs; a filter that lets every record pass."""
    record.msg, record.args = redact(record.getMessage()), ()
    return True


class _Exchange:
    """What the proxy of an exchange wraps: its operations, each as a single attempt on the engine."""

    def __init__(self, exchange: Any) -> None:
        self.__dict__["_handle"] = handle = Handle(exchange, _PARTS)
        self.__dict__["_engine"] = handle.engine

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__dict__["_engine"], name)
        if name.startswith("_") or not inspect.ismethod(value) or self._kind(name) is None:
            return value
        made = self.__dict__[name] = self._attempt(value)
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__.pop(name, None)
        setattr(self._engine, name, value)

    def __delattr__(self, name: str) -> None:
        self.__dict__.pop(name, None)
        delattr(self._engine, name)

    def __copy__(self) -> Any:
        return type(self)(copy(self._handle.original))

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
        """Say how an operation takes part."""
        kind = self._kind(name)
        if kind is None:
            return None
        if kind.key is not None and "params" not in inspect.signature(getattr(self._engine, name)).parameters:
            kind = kind._replace(key=None)
        known: dict[str, Any] = {"key": kind.key, "idempotent": kind.read or kind.harmless}
        if self._handle.venue is not None:
            known |= self._handle.venue.info(kind, wrapped)
        return OperationInfo(
            operation=kind.operation,
            read=kind.read,
            registry=self._engine.id if is_known(self._engine.id) else "ccxt",
            host=self._host(),
            account=sha256(str(self._engine.apiKey or "").encode()).hexdigest()[:8],
            lane=None if kind.read else lane_of(kind.operation),
            rejection_types=REFUSALS,
            classify_results=False,
            **known,
        )

    def _kind(self, name: str) -> Kind | None:
        engine: Any = type(self._engine)
        entry = _entries(engine).get(name.replace("_", "").lower())
        if entry is not None:
            venue = self._handle.venue
            sure = venue is not None and venue.reads_by_get
            return implicit(name, entry.method, entry.path, entry.api, reads_by_get=sure)
        method = getattr(self._engine, name, None)
        if not inspect.ismethod(method) or (self._handle.asynchronous and not is_async(method)):
            return None
        return unified(name, method, self._engine.has)

    def _host(self) -> str:
        urls = self._engine.urls.get("api")
        first = next(iter(urls.values()), "") if isinstance(urls, Mapping) else urls
        return urlsplit(str(self._engine.implode_hostname(str(first or "")))).netloc

    def _attempt(self, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return what makes one attempt: the method itself, watched for what it sends."""
        if self._handle.asynchronous:

            @functools.wraps(method)
            async def asend(*args: Any, **kwargs: Any) -> Any:
                attempt = Attempt()
                token = ATTEMPT.set(attempt)
                try:
                    return await method(*args, **kwargs)
                except Exception as error:
                    attempt.ended(error)
                    raise
                finally:
                    ATTEMPT.reset(token)

            return asend

        @functools.wraps(method)
        def send(*args: Any, **kwargs: Any) -> Any:
            attempt = Attempt()
            token = ATTEMPT.set(attempt)
            try:
                return method(*args, **kwargs)
            except Exception as error:
                attempt.ended(error)
                raise
            finally:
                ATTEMPT.reset(token)

        return send


@functools.cache
def _entries(kind: Any) -> Mapping[str, Any]:
    """Return the endpoints of a class by the names of their methods, in small letters without underscores.

    ccxt puts plain functions over its endpoints' camelCase names, so the names of the others tell.
    """
    found: dict[str, Any] = {}
    for one in reversed(kind.__mro__):
        found |= {name.replace("_", "").lower(): each for name, each in vars(one).items() if isinstance(each, Entry)}
    return found
