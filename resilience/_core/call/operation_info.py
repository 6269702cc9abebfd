"""Describes one operation beyond its policy: name, retry safety, key, reconciler, fence, hooks of its client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..policy.sections import ReconcileSettings
from ..stages.fence import Fence
from .send_log import SendLog

__all__ = ["OperationInfo", "fence_of", "fence_of_request"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationInfo:
    """Describes one operation beyond its policy.

    Attributes:
        operation: the operation's name.
        idempotent: whether sending it twice is harmless; None means a write.
        read: whether it changes nothing; `executed` is then `n_a`.
        key: the parameter that carries the idempotency key: a keyword (`clientOid`), or a key
            inside a mapping parameter (`params.clientOid`); None if it takes no key.
        reconcile: called with the uncertain call; returns `Found` or `NOT_FOUND`.
        registry: the client's own table of codes, searched before those of the policy.
        host: the host it talks to, for breakers and quotas by host.
        path: the template of the request's path, without ids and query, or a function of a call's (args, kwargs)
            that returns it.
        socket: the name of a stream's socket, whose connection attempts these are.
        lane: the lane that its calls take, by name, or a function of their (args, kwargs) that returns it.
        venue: ccxt's id of the exchange, where the client knows it.
        account: a name of the account that is not a secret.
        fence: the API's bounds W, P and L.
        rejection_types: for each of our rejections a subclass that also inherits the client's own error base.
        classify_results: False when a returned value is never an error.
        is_error_response: True for a returned answer that is a failure and that the caller gets back as it is
            (an HTTP response with status 503).
        discard: closes a returned answer that the caller will not get, before the next attempt, which may
            need its connection; async where the function is.
        send_once: whether the body can be sent only once, so that there is no retry.
        can_resync_clock: whether the client measures the server's clock when a stamp is rejected, so that a retry
            helps at once.
        signs: whether the client reports each attempt's stamp before it sends anything.
        sends_window: whether a signed request carries the policy's window, so that the server enforces it.
        resumed: whether the first attempt was made by a process that has ended.
        new_stamps: makes the log of what a call's attempts report, if it has a key or a reconciler.
        make_key: makes the key of a call that brings none, instead of the policies' own function.
        needs_consent: whether only a key that the caller gives is used, and none is made.
        always_sent: whether a read is never answered from the cache, such as one for the server's time.
        prepares_cancel: whether it is made inside a call that only cancels and needs it.
        settles_items: whether it is a batch whose items are settled one by one; the whole is then no write in doubt.
        check_answers: whether an answer that belongs to another write is a failure; see `_pipeline/own_answers.py`.
    """

    operation: str
    idempotent: bool | None = None
    read: bool = False
    key: str | None = None
    reconcile: Callable[..., Any] | None = None
    registry: str | None = None
    host: str | None = None
    account: str | None = None
    lane: str | Callable[[tuple[Any, ...], Mapping[str, Any]], str | None] | None = None
    fence: Fence | None = None
    rejection_types: Mapping[type, type] = field(default_factory=dict)
    classify_results: bool = True
    is_error_response: Callable[[Any], bool] | None = None
    discard: Callable[[Any], Any] | None = None
    send_once: bool = False
    can_resync_clock: bool = False
    signs: bool = False
    sends_window: bool = False
    resumed: bool = False
    new_stamps: Callable[[], SendLog] = SendLog
    make_key: Callable[[], str] | None = None
    needs_consent: bool = False
    settles_items: bool = False
    check_answers: bool = False
    venue: str | None = None
    always_sent: bool = False
    prepares_cancel: bool = False
    path: str | Callable[[tuple[Any, ...], Mapping[str, Any]], str | None] | None = None
    socket: str | None = None


def fence_of(rules: ReconcileSettings, info: OperationInfo) -> Fence:
    """Return the API's bounds, those of the policy where it sets some.

    A signed request that does not carry the policy's window is accepted for as long as any signed stamp: a shorter
    window in the policy changes nothing about that, and must not shorten the fence.
    """
    # `stamp_window` is set where the exchange is a stand-in with a short window; a real one has its own bound.
    bounds = info.fence or Fence()
    window = rules.stamp_window if info.signs and not info.sends_window else rules.window
    return _with_rules(rules, bounds, bounds.window if window is None else window)


def fence_of_request(rules: ReconcileSettings, reported: Fence) -> Fence:
    """Return the bounds of a request that says its own window, with those of the policy where it sets some.

    The window in a finished request is the one that counts, unless the exchange is a stand-in with a shorter one.
    """
    window = reported.window if rules.stamp_window is None else min(reported.window, rules.stamp_window)
    return _with_rules(rules, reported, window)


def _with_rules(rules: ReconcileSettings, bounds: Fence, window: float) -> Fence:
    return Fence(
        window=window,
        processing=bounds.processing if rules.processing is None else rules.processing,
        lag=bounds.lag if rules.lag is None else rules.lag,
        retention=bounds.retention if rules.retention is None else rules.retention,
    )
