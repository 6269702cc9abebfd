"""Maps the action names of the code tables to what a stream does. A new code needs only a row in a table."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from ..._core.classify.failure import Failure
from ..._core.policy.codes import Category

__all__ = ["ACTIONS", "ActionKind", "CodeAction", "choose_action"]


class ActionKind(Enum):
    """What a session can do about an error."""

    NOTHING = "continue"
    HOLD = "send nothing for a while"
    DROP = "remove the subscription"
    RELOGIN = "log in again on this connection"
    RESYNC = "measure the venue's clock, then log in again"
    RECONNECT = "reconnect"
    REPLACE = "open a second connection, then close this one"
    GIVE_UP = "stop"


class CodeAction(NamedTuple):
    """What to do about an error.

    Attributes:
        kind: what the session does.
        text: the same in words, for the user; `{delay}` is the seconds to wait.
        once: a second error in a row that asks for this action is answered more strongly.
    """

    kind: ActionKind
    text: str
    once: bool = False

    @property
    def name(self) -> str:
        """The name in the code tables; for another text that of its kind."""
        names = [name for name, action in ACTIONS.items() if action == self]
        return names[0] if names else next(name for name, action in ACTIONS.items() if action.kind is self.kind)


ACTIONS = {
    "none": CodeAction(ActionKind.NOTHING, "continues"),
    "backoff_keep_socket": CodeAction(ActionKind.HOLD, "keeps the connection and sends nothing for {delay:.3g} s"),
    "drop_subscription": CodeAction(ActionKind.DROP, "drops this subscription"),
    "drop_frame": CodeAction(ActionKind.DROP, "does not send that frame again"),
    "fix_request": CodeAction(ActionKind.DROP, "does not send that request again"),
    "relogin_resubscribe": CodeAction(ActionKind.RELOGIN, "logs in again and subscribes again"),
    "relogin_once_then_give_up": CodeAction(ActionKind.RELOGIN, "logs in once more", once=True),
    "resync_relogin_once": CodeAction(ActionKind.RESYNC, "measures the venue's clock and logs in once more", once=True),
    "reconnect_relogin_resubscribe": CodeAction(ActionKind.RECONNECT, "connects again in {delay:.3g} s"),
    "preemptive_reconnect": CodeAction(ActionKind.REPLACE, "opens a new connection before it leaves this one"),
    "query_order_keep_socket": CodeAction(ActionKind.NOTHING, "keeps the connection; look up the order by REST"),
    "give_up": CodeAction(ActionKind.GIVE_UP, "stops and does not try again"),
}
"""Every action that a code table may name."""

_LEAVES_LOGIN_OPEN = (ActionKind.NOTHING, ActionKind.DROP)
"""Actions that do not get a rejected login answered; they are not enough while a login is outstanding."""


def choose_action(name: str, failure: Failure, *, login: bool, subscription: bool) -> CodeAction:
    """Return what to do about an error frame: the table's action, or one by category if no table has the code.

    Args:
        name: the action in the code table; empty if there is none.
        failure: the classified code.
        login: a login is outstanding and the frame names no subscription.
        subscription: the frame names a subscription.
    """
    action = ACTIONS.get(name)
    if action is not None and not (login and action.kind in _LEAVES_LOGIN_OPEN):
        return action
    return _action_by_category(failure, login=login, subscription=subscription)


def _action_by_category(failure: Failure, *, login: bool, subscription: bool) -> CodeAction:
    """Return what to do about an error that has no row, or one that is too weak for a login."""
    retryable = failure.category is Category.RETRYABLE
    if login:
        return ACTIONS["reconnect_relogin_resubscribe" if retryable else "give_up"]
    if subscription:
        return ACTIONS["backoff_keep_socket" if retryable else "drop_subscription"]
    return ACTIONS["none"]
