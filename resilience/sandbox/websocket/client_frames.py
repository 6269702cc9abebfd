"""Answers the frames of a client: login, subscribe, unsubscribe, trade."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import connection_limits as limits
from . import frames, trading
from .connection import SandboxConnection, error_frames, parse_json
from .frames import WireAction
from .login import login_error
from .topics import access_of, is_order_book

__all__ = ["receive"]


def receive(connection: SandboxConnection, text: str, now: float) -> list[WireAction]:
    """Return the answer to a frame; `now` is sandbox time."""
    if connection.silent:
        connection.frames.append(text)
        return []
    answer = connection.admit(text, now)
    if answer is not None:
        return answer
    message = parse_json(text)
    if message is None or message.get("op") == "ping":
        return [frames.error(30002)]
    operation = _OPERATIONS.get(str(message.get("op")))
    if operation is None:
        return [frames.error(30003)]
    # A fault of this stage comes instead of the answer if it ends the connection, and before it otherwise.
    actions = connection.reach_stage(str(message["op"]), now)
    ended = connection.silent or any(action.kind in ("reset", "disconnect", "close") for action in actions)
    return actions if ended else actions + operation(connection, message, now)


def _login(connection: SandboxConnection, message: dict[str, Any], now: float) -> list[WireAction]:
    del now
    if not connection.private:
        return [frames.error(30003)]
    fault = connection.take_fault("reject_login")
    if fault is not None:
        return error_frames(fault)
    shared = connection.shared
    code = login_error(shared.authenticator, message.get("args"), shared.clock.now(), demo=connection.demo)
    if code:
        return [frames.error(code)]
    connection.logged_in = True
    return [frames.login_ack(connection.id, code_as_text=_acks_with_text(connection))]


def _acks_with_text(connection: SandboxConnection) -> bool:
    """Return whether the code of an ack is a string: V2 and V3 were seen to send strings and numbers."""
    if connection.take_fault("ack_text"):
        return True
    return not connection.take_fault("ack_number") and connection.version == "v2"


def _subscribe(connection: SandboxConnection, message: dict[str, Any], now: float) -> list[WireAction]:
    if connection.subscribe_rate.exceeds(now) and connection.shared.limited:
        connection.record_violation(f"more than {limits.SUBSCRIBE_RATE[0]} subscribe requests in an hour")
        return [frames.error(30006, op="subscribe")]
    actions = [action for arg in _parse_args(message) for action in _subscribe_arg(connection, arg)]
    return actions or [frames.error(30016, op="subscribe")]


def _subscribe_arg(connection: SandboxConnection, arg: dict[str, Any]) -> list[WireAction]:
    fault = connection.take_fault("reject_subscribe")
    if fault is not None:
        fields: dict[str, Any] = {} if "bare" in fault.options else {"arg": arg, "op": "subscribe"}
        return [frames.error(fault.code, code_as_text="text" in fault.options, **fields)]
    code = _subscribe_error(connection, arg)
    if code:
        text = f"{','.join(f'{name}:{value}' for name, value in arg.items())} doesn't exist" if code == 30001 else ""
        return [frames.error(code, text, arg=arg, op="subscribe")]
    if arg in connection.subscriptions:
        connection.record_violation(f"subscribed twice to {arg}")
    # Kept twice if it is a duplicate, so that the ledger of subscriptions shows the client's mistake.
    connection.subscriptions.append(arg)
    feed = connection.shared.feeds.of(arg)
    actions = [frames.ack("subscribe", arg, connection.id if connection.version == "v3" else None)]
    # An update before the ack, as happens when the exchange pushes while it subscribes.
    if connection.take_fault("early_update"):
        actions[:0] = connection.push("update", arg, [{"seq": feed.last}])
    if is_order_book(arg):
        actions += connection.push("snapshot", arg, feed.snapshot(connection.shared.clock.now()))
    return actions


def _subscribe_error(connection: SandboxConnection, arg: dict[str, Any]) -> int:
    """Return the code of the error that a subscription gets, or 0."""
    access = access_of(connection.version, arg)
    if access == "private" and not connection.logged_in:
        connection.record_violation(f"subscribed to {arg} before the login")
        return 30004
    if not access or (access == "public" and connection.private):
        return 30001
    if len(connection.subscriptions) >= limits.MAX_SUBSCRIPTIONS and connection.shared.limited:
        connection.record_violation(f"more than {limits.MAX_SUBSCRIPTIONS} subscriptions")
        return 30006
    return 0


def _unsubscribe(connection: SandboxConnection, message: dict[str, Any], now: float) -> list[WireAction]:
    del now
    actions = []
    for arg in _parse_args(message):
        if arg in connection.subscriptions:
            connection.subscriptions.remove(arg)
        actions.append(frames.ack("unsubscribe", arg, connection.id if connection.version == "v3" else None))
    return actions or [frames.error(30016, op="unsubscribe")]


def _trade(connection: SandboxConnection, message: dict[str, Any], now: float) -> list[WireAction]:
    del now
    shared, version = connection.shared, connection.version
    if not connection.logged_in:
        connection.record_violation("traded before the login")
        return [frames.error(30004)]
    # Both faults look the same to the client: a reset in place of the answer. Only the ledger differs.
    if connection.take_fault("trade_unseen"):
        return [WireAction("reset")]
    fault = connection.take_fault("trade_error")
    if fault is not None:
        return [trading.refuse(shared, version, message, fault.code)]
    answer = trading.execute(shared, version, message)
    return [WireAction("reset")] if connection.take_fault("trade_lost") else [answer]


def _parse_args(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the args of a frame, or an empty list if they are not a list of objects."""
    args = message.get("args")
    return args if isinstance(args, list) and all(isinstance(arg, dict) for arg in args) else []


_OPERATIONS: dict[str, Callable[[SandboxConnection, dict[str, Any], float], list[WireAction]]] = {
    "login": _login,
    "subscribe": _subscribe,
    "unsubscribe": _unsubscribe,
    "trade": _trade,
}
