"""What a stream does on a code: the `action` of its row, by name. A new code is a row and nothing else."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from ..._core.classify.failure import Failure
from ..._core.policy.codes import Category

__all__ = ["ACTIONS", "Do", "Reaction", "reaction"]


class Do(Enum):
    """What a session can do about an error."""

    NOTHING = "go on"
    HOLD = "send nothing for a while"
    DROP = "give the subscription up"
    RELOGIN = "log in again on this connection"
    RESYNC = "measure the venue's clock, then log in again"
    RECONNECT = "connect again"
    REPLACE = "connect a second time, then leave this connection"
    GIVE_UP = "stop"


class Reaction(NamedTuple):
    """What to do, whether a second time in a row ends the stream, and what the user reads."""

    do: Do
    words: str
    once: bool = False


ACTIONS = {
    "none": Reaction(Do.NOTHING, "goes on"),
    "backoff_keep_socket": Reaction(Do.HOLD, "keeps the connection and sends nothing for {delay:.3g} s"),
    "drop_subscription": Reaction(Do.DROP, "drops this subscription"),
    "drop_frame": Reaction(Do.DROP, "does not send that frame again"),
    "fix_request": Reaction(Do.DROP, "does not send that request again"),
    "relogin_resubscribe": Reaction(Do.RELOGIN, "logs in again and subscribes anew"),
    "relogin_once_then_give_up": Reaction(Do.RELOGIN, "logs in once more", once=True),
    "resync_relogin_once": Reaction(Do.RESYNC, "measures the venue's clock and logs in once more", once=True),
    "reconnect_relogin_resubscribe": Reaction(Do.RECONNECT, "connects again in {delay:.3g} s"),
    "preemptive_reconnect": Reaction(Do.REPLACE, "opens a new connection before it leaves this one"),
    "query_order_keep_socket": Reaction(Do.NOTHING, "keeps the connection; look the order up by REST"),
    "give_up": Reaction(Do.GIVE_UP, "stops and does not try again"),
}
"""Every action that a code table may name."""

_LOGIN_STANDS = (Do.NOTHING, Do.DROP)
"""What leaves a refused login unanswered: while one is out it is not enough."""


def reaction(action: str, failure: Failure, *, login: bool, subscription: bool) -> Reaction:
    """Return what to do on a failure that the venue told, by its action, or by its category where no table has it.

    Args:
        action: the name in the code table; empty where there is none.
        failure: what the code means.
        login: a login is out, and no subscription is spoken of.
        subscription: a subscription is spoken of.
    """
    found = ACTIONS.get(action)
    if found is not None and not (login and found.do in _LOGIN_STANDS):
        return found
    helped = failure.category is Category.RETRYABLE
    if login:
        return ACTIONS["reconnect_relogin_resubscribe" if helped else "give_up"]
    if subscription:
        return ACTIONS["backoff_keep_socket" if helped else "drop_subscription"]
    return ACTIONS["none"]
