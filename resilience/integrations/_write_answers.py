"""Judges the answer to a keyed write: it must be readable, have an id, and be the answer to this write.

An answer that is none of these proves nothing: a gateway may have made it, a connection may have mixed up two
answers, or a body may have broken off. Where names or values are ambiguous, the check says no: the write is then
looked up, which costs a request, while a success that is none costs an order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .._core.call.found_order import repeats_key
from ._http_messages import find_header

__all__ = ["NO_IDS", "answer_defect", "is_complete_json"]

MAX_DEPTH = 8  # levels of a body that are searched
MAX_FIELDS = 5000  # fields of a body that are searched

_KEY_FIELDS = frozenset(
    {
        "clid", "clientid", "clientkey", "clientoid", "clientorderid", "clientorderlinkid", "clientreference",
        "clordid", "cid", "cloid", "customid", "externaloid", "externalid", "idempotencykey", "newclientorderid",
        "orderlinkid", "origclientorderid", "userref",
    }
)  # fmt: skip
"""Fields in which an API repeats the client's key, in lower case without separators."""
_VAGUE_KEY_FIELDS = frozenset({"key", "label", "tag", "text"})
"""Fields that hold the key in some APIs, and anything in others: they count if they look like a key, or like ours."""
_IDS = frozenset({"id", "ids", "oid", "sid", "guid", "uuid", "txid", "txids", "txhash", "reference", "confirmation"})
_OTHER_IDS = re.compile(
    r"((account|asset|broker|chain|client|coin|company|connection|contract|correlation|currency|customer|device"
    r"|exchange|inst|instance|instrument|institution|market|member|merchant|message|msg|node|pair|parent|partner|portfolio"
    r"|product|project|region|request|req|sender|server|session|shop|span|store|strategy|sub|symbol|team|tenant|trace|uid|user"
    r"|wallet)s?|(^|_)(err|errors?|events?|fault|incident|log|meta|metadata|problem|ray))_?([ug]?uid|s?id|ids)$"
)
"""Ids of something else than what the write has made."""
_BARE_IDS = frozenset({"id", "ids", "sid", "guid", "uuid"})
"""Ids that only the field around them tells apart."""
NO_IDS = frozenset({"", "0", "-1", "none", "null", "nil", "undefined", "false", "true", "n/a", "nan"})
"""Texts that stand for no id, in lower case."""
_EMPTY_UUID = re.compile(r"[0-]+$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def answer_defect(
    status: int, headers: Any, body: bytes, key: str, key_field: str, *, needs_id: bool = True
) -> str | None:
    """Return why an answer with a success status does not prove that this write succeeded; None if it does.

    Args:
        status: the HTTP status.
        headers: the headers of the answer, a mapping or pairs.
        body: the decoded body.
        key: the key of the write.
        key_field: the name of the header or field that carried it.
        needs_id: whether the body must be JSON with an id. Without, it must only be JSON, and not another's.
    """
    located = status == 201 and bool(find_header(headers, "Location"))
    if not body.strip():
        content: Any = {}
        if not located:
            return "the answer is empty"
    else:
        content = _parsed(body)
        if content is _UNREADABLE:
            return "the answer is not readable JSON"
    fields = list(_fields(content))
    echoes = [value for name in ("Idempotency-Key", key_field) if (value := find_header(headers, name))]
    echoes += _echoes(fields, key_field, key)
    if echoes and not any(repeats_key(echo, key) for echo in echoes):
        return "the answer is to another request: it repeats another key"
    if needs_id and _is_refusal(content):
        return "the answer says that it failed"
    if needs_id and not located and not any(_is_id(name, value) for name, value in fields):
        return "the answer has no id"
    return None


def is_complete_json(body: bytes) -> bool:
    """Return whether a body is JSON; False for one that is empty or was cut."""
    return bool(body.strip()) and _parsed(body) is not _UNREADABLE


_UNREADABLE = object()


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _UNREADABLE


def _fields(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) of the first levels' fields; the items of a list have the list's name.

    The name of an id says whose it is: `{"user": {"id": 5}}` has a field `user.id`.
    """
    found = 0
    level: list[tuple[str, Any]] = [("", content)]
    for _ in range(MAX_DEPTH):
        deeper: list[tuple[str, Any]] = []
        for name, value in level:
            if isinstance(value, dict):
                deeper += ((_full_name(name, str(inner)), item) for inner, item in value.items())
            elif isinstance(value, list):
                deeper += ((name, item) for item in value)
            else:
                found += 1
                yield name, value
            if found > MAX_FIELDS:
                return
        level = deeper[:MAX_FIELDS]


def _full_name(outer: str, name: str) -> str:
    return f"{outer.rpartition('.')[2]}.{name}" if outer and _plain_name(name) in _BARE_IDS else name


def _is_refusal(content: Any) -> bool:
    """Return whether a body says that it is no success; it may have an id all the same, such as that of the error."""
    if not isinstance(content, dict):
        return False
    fields = {_plain_name(str(name)): value for name, value in content.items()}
    if "jsonrpc" in fields and not fields.get("result"):
        return True
    is_denied = any(fields.get(name) is False or fields.get(name) == "false" for name in ("success", "ok"))
    return is_denied or any(_is_something(fields.get(name)) for name in ("error", "errors", "fault"))


def _is_something(value: Any) -> bool:
    return bool(value) and str(value).strip().lower() not in NO_IDS


def _plain_name(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace(" ", "").lower()


def _echoes(fields: list[tuple[str, Any]], key_field: str, key: str) -> list[str]:
    """Return the keys of clients that the fields of an answer repeat."""
    carried_by = _plain_name(key_field)
    echoes = []
    for name, value in fields:
        text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
        if text.strip().lower() in NO_IDS:
            continue
        plain = _plain_name(name)
        is_vague = plain in _VAGUE_KEY_FIELDS and plain != carried_by
        if plain == carried_by or plain in _KEY_FIELDS or (is_vague and _resembles_key(text, key)):
            echoes.append(text)
    return echoes


def _resembles_key(text: str, key: str) -> bool:
    """Return whether a text may be a client's key: long and with a digit, or of the same form as this key."""
    is_long = (
        8 <= len(text) <= 64 and not any(character.isspace() for character in text) and any(map(str.isdigit, text))
    )
    return is_long or _form(text) == _form(key)


def _form(text: str) -> str:
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", text))


def _is_id(name: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return False
    text = str(value).strip()
    if not text or len(text) > 200 or text.lower() in NO_IDS or _EMPTY_UUID.match(text):
        return False
    snake = _CAMEL.sub("_", name).lower().replace("-", "_").replace(" ", "_")
    inner = snake.rpartition(".")[2]
    plain = inner.replace("_", "")
    if plain in _KEY_FIELDS or _OTHER_IDS.search(snake.replace(".", "_")):
        return False
    return plain in _IDS or inner.endswith(("_id", "_ids")) or plain in _MERGED_IDS


_MERGED_IDS = frozenset({"orderid", "orderids", "ordid", "tradeid", "paymentid", "transferid", "withdrawid", "dealid"})
"""Names of ids that APIs write in lower case without a separator."""
