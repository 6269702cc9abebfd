"""Writes messages about entries of the inbox, for programs and for the chats that people read.

What a message carries has no secrets, and nothing that a terminal or a chat would act on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ..._printable import printable
from ..inbox_entry import InboxEntry
from ..redaction import redact

__all__ = ["FORMATS", "AlertMessage", "body_of", "new_message"]

MAX_ENTRIES = 10  # of one message
MAX_FIELD = 400  # characters of one text of an entry
_MAX_TEXT = {"discord": 2_000, "telegram": 4_000, "slack": 4_000}
"""Characters of a message; Telegram takes 4,096 and Slack cuts a longer text."""
_MAX_NAME = 100
_DISCORD_MARKUP = re.compile(r"([\\`*_~|\[\]<>])")


class AlertMessage(NamedTuple):
    """One message about what needs a person.

    Attributes:
        name: the name of the bot.
        entries: the new entries, the most urgent first.
        more: how many further entries there are that did not fit.
        text: the same as lines of text for people.
    """

    name: str
    entries: tuple[InboxEntry, ...]
    more: int
    text: str


Format = Callable[[AlertMessage], Any]
"""Makes of a message what is sent as JSON."""


def new_message(
    name: str, entries: Iterable[InboxEntry], limit: int | None = None, width: Callable[[str], int] = len
) -> AlertMessage:
    """Return a message about these entries.

    Args:
        name: which bot needs somebody.
        entries: the entries, in the order in which they are written.
        limit: characters of the text; entries that do not fit are counted in `more`.
        width: how many characters of the limit a text takes, where some are escaped.
    """
    everything = list(entries)
    title = f"{_short(name, _MAX_NAME)} needs you:"
    lines, shown = [title], []
    left = (limit or 1_000_000) - width(title) - len("\nand 10000 more")
    for entry in everything[:MAX_ENTRIES]:
        clean = _clean(entry)
        line = _line(clean)
        left -= width(line) + 1
        if left < 0:
            break
        lines.append(line)
        shown.append(clean)
    more = len(everything) - len(shown)
    return AlertMessage(title[: -len(" needs you:")], tuple(shown), more, "\n".join([*lines, *_rest(more)]))


def body_of(name: str, entries: Iterable[InboxEntry], form: str | Format, fields: Mapping[str, Any]) -> Any:
    """Return what is sent about these entries: a value for `json.dumps`."""
    if callable(form):
        return form(new_message(name, entries))
    body = FORMATS[form](new_message(name, entries, _MAX_TEXT.get(form), _WIDTHS.get(form, len)))
    return {**body, **fields}


def _json(message: AlertMessage) -> dict[str, Any]:
    entries = [entry._asdict() for entry in message.entries]
    return {"name": message.name, "text": message.text, "entries": entries, "more": message.more}


def _slack(message: AlertMessage) -> dict[str, Any]:
    # The three characters that Slack reads as markup: with them `<!channel>` would wake everybody.
    text = message.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": text, "mrkdwn": False}  # an order `a*b*c` would lose its stars


def _discord(message: AlertMessage) -> dict[str, Any]:
    return {"content": _discord_text(message.text), "allowed_mentions": {"parse": []}}


def _discord_text(text: str) -> str:
    # Markup in what an API says would be a link with a name of its own, or hide a part of a key.
    return _DISCORD_MARKUP.sub(r"\\\1", text)


def _telegram(message: AlertMessage) -> dict[str, Any]:
    # Without `parse_mode` the text is taken as it is.
    return {"text": message.text, "link_preview_options": {"is_disabled": True}}


FORMATS: dict[str, Callable[[AlertMessage], dict[str, Any]]] = {
    "json": _json,
    "slack": _slack,
    "discord": _discord,
    "telegram": _telegram,
}
"""The formats by their names."""


_WIDTHS: dict[str, Callable[[str], int]] = {"discord": lambda text: len(_discord_text(text))}


def _clean(entry: InboxEntry) -> InboxEntry:
    texts: dict[str, Any] = {name: _short(value) for name, value in entry._asdict().items() if isinstance(value, str)}
    return entry._replace(**texts)


def _short(text: str, limit: int = MAX_FIELD) -> str:
    clean = printable(redact(text))  # before it is cut: half of a secret would not be recognised
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def _line(entry: InboxEntry) -> str:
    times = f" ({entry.times:,} times)" if entry.times > 1 and entry.kind != "write_in_doubt" else ""
    remedy = f"\n  {entry.remedy}" if entry.remedy else ""
    return f"• {entry.title}{times}{remedy}"


def _rest(more: int) -> list[str]:
    return [f"and {more:,} more"] if more else []
