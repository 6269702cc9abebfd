"""Whatever this library writes passes here first: secrets go, the rest stays readable.

Two nets. Values that were registered are replaced wherever they stand, in their URL-encoded and
JSON-escaped forms too. Everything else goes by shape: headers, query values, credentials in URLs,
JSON and dict text, bearer tokens, PEM blocks. When in doubt too much is taken away, never too little.

Every pattern is linear in the text: what it consumes it never gives back.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

__all__ = ["REDACTED", "is_secret_name", "redact", "redact_fields", "redact_registered", "register_secret", "spellings"]

REDACTED = "[redacted]"
"""What stands where a secret stood."""

_SHORTEST = 4  # a shorter value would take half the words of a log with it
_REMEMBERED = 512
_DEEPEST = 16

_WORDS = (
    r"secret|pass[-_ ]?phrase|pass[-_]?word|passwd|credential|mnemonic|private[-_ ]?key|api[-_ ]?key|access[-_]?key"
    r"|token|auth(?:orization)?(?![a-z])|signature|cookie|session[-_]?id|(?<![a-z])sign(?![a-z])|(?<![a-z])pwd(?![a-z])"
)
_NAME = re.compile(rf"(?:{_WORDS})|\Akey\Z", re.IGNORECASE)
_DOUBLE = r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)'
_SINGLE = r"'(?:[^'\\]++|\\.)*+(?:'|\\?\Z)"
_NESTED = r'\\"(?:[^"\\]++|\\\\(?:\\.|[^\\]))*+(?:\\"|.{0,3}\Z)'  # JSON inside a JSON string
_QUOTED = rf"[bru]{{0,2}}(?:{_DOUBLE}|{_SINGLE}|{_NESTED}|\\\\+[\"'].*+)"
_BRACKET = r"[\[({][^\[\](){}\"']*+(?:(?:" + _DOUBLE + "|" + _SINGLE + r")[^\[\](){}\"']*+)*+(?:[\])}]|.*+)"
_BARE = r"[^\s&,;\"'<>)\]}]*+"

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)", re.DOTALL)
_USERINFO = re.compile(r"(?<=://)[^\s/?#\"'<>@]*+@(?:[^\s/?#\"'<>@]*+@)*+")
_SCHEME = re.compile(r"(\bbearer\s{1,4}|\bbasic\s{1,4}(?=[\w+/=-]{6}))(?!\[redacted)[^\s,;\"'<>]++", re.IGNORECASE)
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]*+\.[\w-]++(?:\.[\w-]*+)?")
_QUOTED_NAME = re.compile(
    rf"((?:{_WORDS})[\w.-]{{0,40}}|(?<=[\"'])key)(\\{{0,8}}[\"']\s{{0,8}}[:=,]\s{{0,8}})"
    rf"({_QUOTED}|{_BRACKET}|{_BARE})",
    re.IGNORECASE | re.DOTALL,
)
_HEADER = re.compile(
    r"((?:[-\w]{0,20}-(?:key|sign|passphrase|signature|token|secret|auth|password)|x-mbx-apikey|(?<![\w-])(?:"
    r"pass[-_ ]?phrase|pass[-_]?word|passwd|secret|mnemonic|(?:proxy-)?authorization|(?:set-)?cookie))"
    r"[ \t]{0,4}:[ \t]{0,4})[^\r\n]++",
    re.IGNORECASE,
)
_ASSIGNED = re.compile(
    rf"((?:{_WORDS})[\w.-]{{0,40}}|(?<=[?&])key)(\s{{0,4}}(?:=|%3D|:)\s{{0,4}})((?:[A-Za-z_][\w.]{{0,60}})?{_QUOTED}"
    rf"|[A-Za-z_][\w.]{{0,60}}\([^\r\n]*+|{_BRACKET}|{_BARE})",
    re.IGNORECASE | re.DOTALL,
)
_TRIGGER = re.compile(r"[:=,@]|%3d|-----|bearer|basic|eyJ", re.IGNORECASE)

_kept: dict[str, None] = {}
_passing: dict[str, None] = {}
_lock = threading.Lock()
_forms: tuple[str, ...] | None = ()
"""Every spelling of every value, longest first; None when a value has come since it was made."""


def register_secret(value: str, *, passing: bool = False) -> None:
    """Have this very value replaced wherever it stands from now on.

    Of `passing` values, such as the signature of one request, the last 512 are remembered; others are for
    good. One of fewer than 4 characters is not, since it would take ordinary words with it. Safe across threads.
    """
    global _forms
    if len(value) < _SHORTEST or value in _kept:
        return
    with _lock:
        (_passing if passing else _kept)[value] = None
        if len(_passing) > _REMEMBERED:
            del _passing[next(iter(_passing))]
        _forms = None  # spelled out when there is something to redact: most requests are never written about


def _every_form() -> tuple[str, ...]:
    global _forms
    with _lock:
        if _forms is None:
            found = {form for value in (*_kept, *_passing) for form in spellings(value)}
            _forms = tuple(sorted(found, key=len, reverse=True))
        return _forms


@lru_cache(maxsize=4 * _REMEMBERED)
def spellings(value: str) -> tuple[str, ...]:
    """Return the value as it stands in text, in URLs, in JSON (once and twice escaped) and in reprs."""
    encoded = [quote(value, safe=""), quote(value), quote_plus(value)]
    lowered = [re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in encoded]
    escaped = [json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]]
    doubled = [json.dumps(form)[1:-1] for form in escaped]
    slashed = [form.replace("/", "\\/") for form in escaped]
    return tuple({value, value.strip(), *encoded, *lowered, *escaped, *doubled, *slashed} - {""})


def redact(text: str) -> str:
    """Return `text` without its secrets; the time it takes is linear in the length.

    Example:
        >>> redact("GET https://api.example.com/orders?symbol=BTC&signature=ab12cd failed")
        'GET https://api.example.com/orders?symbol=BTC&signature=[redacted] failed'
    """
    text = redact_registered(text)
    if _TRIGGER.search(text) is None:
        return text
    text = _PEM.sub(REDACTED, text)
    text = _QUOTED_NAME.sub(_keep_name, text)
    text = _HEADER.sub(rf"\1{REDACTED}", text)
    text = _ASSIGNED.sub(_keep_name, text)
    text = _USERINFO.sub(f"{REDACTED}@", text)
    text = _SCHEME.sub(rf"\1{REDACTED}", text)
    return _JWT.sub(REDACTED, text)


def redact_registered(text: str) -> str:
    """Return `text` without the values that were registered; all else stays as it is."""
    for form in _forms or _every_form():
        if form in text:
            text = text.replace(form, REDACTED)
    return text


def _keep_name(found: re.Match[str]) -> str:
    value = found[3]
    if not value or value.startswith(REDACTED):
        return found[0]
    edge = re.match(r"[bru]{0,2}(\\*[\"'])", value)
    mark = edge[1] if edge else ""
    return f"{found[1]}{found[2]}{mark}{REDACTED}{mark}"


def is_secret_name(name: str) -> bool:
    """Tell whether what stands under this name is a secret, such as `ACCESS-SIGN`, `apiKey` or `cookies`."""
    return _NAME.search(name) is not None


def redact_fields(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a copy without secrets: by key name, recursively, and by shape in every other string.

    Example:
        >>> redact_fields({"apiKey": "ab12", "params": {"symbol": "BTC", "sign": "cd34"}})
        {'apiKey': '[redacted]', 'params': {'symbol': 'BTC', 'sign': '[redacted]'}}
    """
    return _fields(mapping, 0)


def _fields(mapping: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
    copy = {}
    for key, value in mapping.items():
        shown = redact(key) if isinstance(key, str) else key
        copy[shown] = REDACTED if is_secret_name(_text(key)) else _value(value, depth + 1)
    return copy


def _value(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, bytes, bytearray)):
        return redact(_text(value))
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, Mapping):
        return _fields(value, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_value(one, depth + 1) for one in value]
    return redact(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "replace")
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"
