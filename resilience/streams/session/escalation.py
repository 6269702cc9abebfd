"""Decides when an error is answered more strongly than its row says, because it repeats, or more mildly.

A login that was accepted before is refused because of a hiccup of the venue more often than for good, so only several
refusals in a row end the stream. A login that was never accepted is wrong, and ends it at once.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..._core.classify.failure import Failure
from ..._core.policy.codes import Category
from .code_actions import ACTIONS, ActionKind, CodeAction
from .connection import Connection
from .connection_set import ConnectionSet

__all__ = ["Escalation", "login_pending"]

_MAX_RELOGINS = 2  # logins that the venue may ask for on one connection before it is replaced
_MAX_REFUSALS = 5  # refused logins in a row that end a stream whose login was accepted before


class Escalation(ConnectionSet):
    """A socket that counts its errors.

    Attributes:
        once_counts: errors by code since the last login, for actions that are taken once.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.once_counts: Counter[str | None] = Counter()
        self._login_worked = False
        self._refusals = 0

    def count_login(self) -> None:
        """Record that a login was accepted."""
        self.once_counts.clear()
        self._login_worked, self._refusals = True, 0

    def forget_errors(self) -> None:
        """Start without errors: the user has fixed their cause."""
        self.once_counts.clear()
        self._login_worked, self._refusals = False, 0

    def escalate(self, connection: Connection, action: CodeAction, failure: Failure, *, login: bool) -> CodeAction:
        """Return the action for an error; `login` says that it answers a login."""
        if action.kind is ActionKind.RESYNC and self.private and self.cannot_resync:
            action = self._without_clock(action)
        action = self._repeated(connection, action, failure)
        if login and _is_refusal(action):
            return self._refused_login(action)
        return action

    def _without_clock(self, action: CodeAction) -> CodeAction:
        """Return what is done where the venue's clock was to be measured and cannot be."""
        reason = self.cannot_resync.replace("{", "{{").replace("}", "}}")
        text = f"connects again in {{delay:.3g}} s; it cannot measure the venue's clock: {reason}"
        return CodeAction(ActionKind.RECONNECT, text, action.once)

    def _refused_login(self, action: CodeAction) -> CodeAction:
        """Return what is done about a refused login: the action, or another try if it was accepted before."""
        self._refusals += 1
        if not self._login_worked or self._refusals >= _MAX_REFUSALS:
            return action
        count = f"refusal {self._refusals} of {_MAX_REFUSALS} in a row"
        text = f"logs in again in {{delay:.3g}} s, because this login was accepted before ({count})"
        return CodeAction(ActionKind.RECONNECT, text)

    def _repeated(self, connection: Connection, action: CodeAction, failure: Failure) -> CodeAction:
        """Return the action, or a stronger one if the error repeats."""
        if action.once:
            self.once_counts[failure.code] += 1
            # The same error right after the remedy: the remedy does not help.
            if self.once_counts[failure.code] > 1:
                reconnect = action if action.kind is ActionKind.RECONNECT else ACTIONS["reconnect_relogin_resubscribe"]
                return reconnect if failure.category is Category.RETRYABLE else ACTIONS["give_up"]
        if action.kind is ActionKind.RELOGIN and not self.private:
            return ACTIONS["drop_subscription"]
        if action.kind is ActionKind.RELOGIN and not login_pending(connection, action):
            connection.relogins += 1
            return action if connection.relogins <= _MAX_RELOGINS else ACTIONS["reconnect_relogin_resubscribe"]
        return action


def _is_refusal(action: CodeAction) -> bool:
    """Return whether an action that answers a login means that the venue refused it."""
    return action.kind is ActionKind.GIVE_UP or (action.kind is ActionKind.RELOGIN and action.once)


def login_pending(connection: Connection, action: CodeAction) -> bool:
    """Return True if a login is outstanding already: each subscription that needs one is rejected separately."""
    return connection.login_at is not None and not action.once
