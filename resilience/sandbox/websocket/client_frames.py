"""What a frame asks for: login, subscribe, unsubscribe, trade."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import connection_limits as limits
from . import frames
from .connection import Connection, read
from .frames import Act
from .login import refusal_of
from .topics import kind_of, takes_updates
from .trading import answer, refused

__all__ = ["receive"]


def receive(connection: Connection, text: str, now: float) -> list[Act]:
    """Return the answer to a frame."""
    if connection.silent:
        connection.frames.append(text)
        return []
    answered = connection.admit(text, now)
    if answered is not None:
        return answered
    message = read(text)
    if message is None or message.get("op") == "ping":
        return [frames.error(30002)]
    operation = _OPERATIONS.get(str(message.get("op")))
    if operation is None:
        return [frames.error(30003)]
    acts = connection.reach(str(message["op"]), now)
    over = connection.silent or any(act.kind in ("reset", "leave", "close") for act in acts)
    return acts if over else acts + operation(connection, message, now)


def _login(connection: Connection, message: dict[str, Any], now: float) -> list[Act]:
    del now
    if not connection.private:
        return [frames.error(30003)]
    fault = connection.take("reject_login")
    if fault is not None:
        ending = [frames.close(1008)] if "close" in fault.words else []
        return [frames.error(fault.code, as_text="text" in fault.words), *ending]
    sandbox = connection.shared.sandbox
    code = refusal_of(sandbox.gate, message.get("args"), sandbox.now(), demo=connection.demo)
    if code:
        return [frames.error(code)]
    connection.logged_in = True
    as_text = connection.version == "v2"
    if connection.take("ack_text"):
        as_text = True
    elif connection.take("ack_number"):
        as_text = False
    return [frames.login_ack(connection.id, as_text=as_text)]


def _subscribe(connection: Connection, message: dict[str, Any], now: float) -> list[Act]:
    if connection.subscribes.over(now) and connection.shared.limits:
        connection.violate(f"more than {limits.SUBSCRIBES[0]} subscribe requests in an hour")
        return [frames.error(30006, op="subscribe")]
    return [act for arg in _args(message) for act in _begin(connection, arg)] or [frames.error(30016, op="subscribe")]


def _begin(connection: Connection, arg: dict[str, Any]) -> list[Act]:
    """Subscribe to one arg."""
    fault = connection.take("reject_subscribe")
    if fault is not None:
        more: dict[str, Any] = {} if "bare" in fault.words else {"arg": arg, "op": "subscribe"}
        return [frames.error(fault.code, as_text="text" in fault.words, **more)]
    refusal = _refusal(connection, arg)
    if refusal:
        text = f"{','.join(f'{name}:{value}' for name, value in arg.items())} doesn't exist" if refusal == 30001 else ""
        return [frames.error(refusal, text, arg=arg, op="subscribe")]
    if arg in connection.subscriptions:
        connection.violate(f"subscribed twice to {arg}")
    connection.subscriptions.append(arg)
    feed = connection.shared.feeds.of(arg)
    acts = [frames.ack("subscribe", arg, connection.id if connection.version == "v3" else None)]
    if connection.take("early_update"):
        acts[:0] = connection.push("update", arg, [{"seq": feed.last}])
    if takes_updates(arg):
        acts += connection.push("snapshot", arg, feed.snapshot())
    return acts


def _refusal(connection: Connection, arg: dict[str, Any]) -> int:
    """Return the code that refuses a subscription, or 0."""
    kind = kind_of(connection.version, arg)
    if kind == "private" and not connection.logged_in:
        connection.violate(f"subscribed to {arg} before the login")
        return 30004
    if not kind or (kind == "public" and connection.private):
        return 30001
    if len(connection.subscriptions) >= limits.MOST_CHANNELS and connection.shared.limits:
        connection.violate(f"more than {limits.MOST_CHANNELS} subscriptions")
        return 30006
    return 0


def _unsubscribe(connection: Connection, message: dict[str, Any], now: float) -> list[Act]:
    del now
    acts = []
    for arg in _args(message):
        if arg in connection.subscriptions:
            connection.subscriptions.remove(arg)
        acts.append(frames.ack("unsubscribe", arg, connection.id if connection.version == "v3" else None))
    return acts or [frames.error(30016, op="unsubscribe")]


def _trade(connection: Connection, message: dict[str, Any], now: float) -> list[Act]:
    del now
    sandbox, version = connection.shared.sandbox, connection.version
    if not connection.logged_in:
        connection.violate("traded before the login")
        return [frames.error(30004)]
    if connection.take("trade_unseen"):
        return [Act("reset")]
    fault = connection.take("trade_error")
    if fault is not None:
        return [refused(sandbox, version, message, fault.code)]
    told = answer(sandbox, version, message)
    return [Act("reset")] if connection.take("trade_lost") else [told]


def _args(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the args of a frame; nothing when one is none."""
    args = message.get("args")
    return args if isinstance(args, list) and all(isinstance(arg, dict) for arg in args) else []


_OPERATIONS: dict[str, Callable[[Connection, dict[str, Any], float], list[Act]]] = {
    "login": _login,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "trade": _trade,
}
