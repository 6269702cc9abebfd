"""Starts alerts: checks what they are given, and puts together what a message passes through."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from ..inbox import Inbox
from ..inbox_entry import InboxEntry
from ..structlog import new_event_log
from .alert_message import FORMATS, Format, body_of
from .alert_rounds import POLL, AlertRounds, WatchedPolicies
from .alert_thread import Alerts
from .new_entries import NewEntries
from .webhook import Delivery, Webhook

__all__ = ["send_alerts"]

TIMEOUT = 10.0  # seconds of silence of the webhook


def send_alerts(
    policies: WatchedPolicies,
    url: str,
    *,
    format: str | Format = "json",  # noqa: A002  # the word that everybody uses for it
    fields: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    name: str | None = None,
    every: float = 10.0,
    remind_after: float = 14_400.0,
    open_for: float = 60.0,
    forget_after: float = 3_600.0,
    log: bool | str = True,
) -> Alerts:
    """Send what needs a person to a webhook, from now on, in a daemon thread.

    Each entry of the inbox is sent once: a write in doubt, a failure that somebody can mend (once for its remedy, not
    for each call), a rejected policy file, an isolation, a ban or a wait beyond `hold_max`, a breaker that does not
    close, a broken lookup, a lost store. The webhook is asked again after errors of the network, 408, 425, 429 (not
    before its `Retry-After`) and 5xx; if it fails, that is logged once.

    Args:
        policies: the policies whose events are watched.
        url: where to post. It is a secret, and is never logged.
        format: `json`, `slack`, `discord`, `telegram`, or a function that takes an `AlertMessage` and returns the body.
        fields: further fields of each message, such as `{"chat_id": "..."}`, which Telegram needs.
        headers: headers of each request, such as `Authorization`. They are secrets too.
        name: the bot's name for the first line; by default the machine and the process.
        every: the least seconds between two messages; what happens in between is sent as one message.
        remind_after: seconds after which an entry that is still there is sent once more.
        open_for: seconds that a breaker is open before it becomes an entry.
        forget_after: seconds after which a failure that has not happened again stops being an entry.
        log: where a line about a failing webhook goes, as in `configure`.

    Returns:
        The running sender. It ends by `.close()`, at the end of its `with` block, or when the program ends.

    Raises:
        ValueError: an argument is wrong. The message does not show the URL.
        TypeError: `fields` are given for a function, which makes the whole message; or the name is no string.

    Example:
        >>> from resilience import Policies
        >>> url = "https://hooks.example.com/services/T0/B0"
        >>> alerts = send_alerts(Policies.builtin(), url, format="slack")
        >>> alerts.close()
        True
    """
    fields = dict(fields or {})
    _check(format, fields)
    if name is not None and not isinstance(name, str):
        raise TypeError(f"name: expected a string, got {type(name).__name__}")
    seconds = {"every": every, "remind_after": remind_after, "open_for": open_for, "forget_after": forget_after}
    for argument, value in seconds.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
            raise ValueError(f"{argument}: expected seconds from 0 to 1e9, got {value!r}")
    webhook, event_log = Webhook(url, headers), new_event_log(log)
    inbox = Inbox(open_for=open_for, forget_after=forget_after)

    def send(entries: list[InboxEntry]) -> Delivery:
        try:
            # The process of this moment: a forked child sends its own.
            bot = name or f"{socket.gethostname()}:{os.getpid()}"
            body = body_of(bot, entries, format, fields)
            return webhook.post(body, TIMEOUT)
        except Exception as error:  # of the program's own function, or a value of it that is no JSON
            return Delivery(False, caused_by=type(error).__name__)

    def report(delivery: Delivery) -> None:
        if event_log is not None:
            event_log.alerts_failed(delivery.http_status, delivery.caused_by)

    news = NewEntries(remind_after=remind_after, gone_for=min(remind_after, 900.0))
    poll = max(1.0, min(POLL, open_for))
    return Alerts(policies, inbox, AlertRounds(policies, inbox, news, send, report, every=every, poll=poll))


def _check(form: object, fields: Mapping[str, Any]) -> None:
    if callable(form):
        if fields:
            raise TypeError("fields: a function makes the whole message; add them there")
    elif form not in FORMATS:
        raise ValueError(f"format: expected {', '.join(FORMATS)} or a function, got {form!r}")
    elif form == "telegram" and "chat_id" not in fields:
        raise ValueError("fields: Telegram needs the chat that gets the messages: fields={'chat_id': '...'}")
