"""Removes secrets from everything that this library writes, and leaves the rest readable.

There are two passes. Registered values are replaced wherever they occur, in their URL-encoded and JSON-escaped forms
too. The second pass recognises secrets by their context: headers, query values, credentials in URLs, JSON and dict
text, bearer tokens, PEM blocks. Where it cannot be sure, it removes too much and not too little.

Every pattern is linear in the length of the text: its long quantifiers are possessive (`*+`, `++`) and never give back
what they have consumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .._core.base.abstract_classes import is_mapping
from .._core.base.bounded_dict import BoundedDict
from .._printable import printable
from .registered_secrets import RegisteredSecrets, spellings

__all__ = [
    "REDACTED", "is_secret_name", "printable_without_secrets", "redact", "redact_fields", "redact_registered",
    "register_secret", "spellings",
]  # fmt: skip

REDACTED = "[redacted]"
"""The text that replaces a secret."""

MAX_DEPTH = 16  # of nested containers

_WORDS = (
    r"secret|pass[-_ ]?phrase|pass[-_]?word|passwd|credential|mnemonic|private[-_ ]?key|api[-_ ]?key|access[-_]?key"
    r"|token|auth(?:orization)?(?![a-z])|signature|cookie|session[-_]?id|(?<![a-z])sign(?![a-z])|(?<![a-z])pwd(?![a-z])"
)
_SECRET_NAME = re.compile(rf"(?:{_WORDS})|\Akey\Z", re.IGNORECASE)
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
_SEPARATOR = re.compile("[:=,@]")
_TRIGGERS = ("%3d", "-----", "bearer", "basic", "eyj")
_MAX_HARMLESS = 1024
_MAX_HARMLESS_TEXT = 256
_harmless: BoundedDict[str, None] = BoundedDict(_MAX_HARMLESS)
"""Short texts that the patterns leave as they are, such as remedies. What is registered changes no pattern."""

_registered = RegisteredSecrets()


def register_secret(value: str, *, passing: bool = False) -> None:
    """Register a secret value, which is replaced wherever it would be written from now on. Safe across threads.

    A value of fewer than 4 characters is not registered, since it would be found inside ordinary words.

    Args:
        value: the secret.
        passing: whether it is soon of no use, as the signature of one request is. Of such values the last 512 are
            remembered; all others are remembered until the process ends.
    """
    _registered.add(value, passing=passing)


def redact(text: str) -> str:
    """Return `text` with each secret replaced by `[redacted]`.

    A secret is a registered value, or a value whose name or form shows that it is one, such as a signature in a URL or
    a header `Authorization`. The time is linear in the length of the text.

    Example:
        >>> redact("GET https://api.example.com/orders?signature=ab12cd failed")
        'GET https://api.example.com/orders?signature=[redacted] failed'
    """
    forms = _registered.found_in(text)
    if not forms:
        return _without_patterns(text) if _may_have_patterns(text) else text
    # A secret that is also the name of one ("secret") must not hide the names by which the patterns find values.
    names = [form for form in forms if is_secret_name(form)]
    text = _without(text, [form for form in forms if form not in names])
    if _may_have_patterns(text):
        text = _without_patterns(text)
    return _without(text, names)


def printable_without_secrets(texts: list[str]) -> list[str]:
    """Return what `printable(redact(text))` returns for each of several texts, which are searched together.

    Most lines have no secret in them. What is not in the texts put together is in none of them.
    """
    whole = " ".join(texts)
    if not whole.isprintable() or _registered.found_in(whole):
        return [printable(redact(text)) for text in texts]
    if not _may_have_patterns(whole):
        return texts
    return [_without_patterns(text) if _may_have_patterns(text) else text for text in texts]


def _may_have_patterns(text: str) -> bool:
    """Return whether a text may have a secret by its context: most log lines have none of what all patterns need."""
    if _SEPARATOR.search(text) is not None:
        return True
    if not text.isascii():  # the patterns take a Turkish `İ` or `ı` for an i, which no folding does
        return True
    folded = text.lower()  # a search by one pattern that ignores case takes ten times as long
    return any(trigger in folded for trigger in _TRIGGERS)


def _without_patterns(text: str) -> str:
    if text in _harmless:
        return text
    clean = _replaced(text)
    if clean == text and len(text) <= _MAX_HARMLESS_TEXT:
        _harmless[text] = None
    return clean


def _replaced(text: str) -> str:
    text = _PEM.sub(REDACTED, text)
    text = _QUOTED_NAME.sub(_keep_name, text)
    text = _HEADER.sub(rf"\1{REDACTED}", text)
    text = _ASSIGNED.sub(_keep_name, text)
    text = _USERINFO.sub(f"{REDACTED}@", text)
    text = _SCHEME.sub(rf"\1{REDACTED}", text)
    return _JWT.sub(REDACTED, text)


def redact_registered(text: str) -> str:
    """Return `text` without registered values; everything else is unchanged."""
    return _without(text, _registered.found_in(text))


def _without(text: str, forms: Iterable[str]) -> str:
    for form in forms:
        if form in text:
            text = text.replace(form, REDACTED)
    return text


def _keep_name(match: re.Match[str]) -> str:
    """Return the name, the separator and the quotes of an assignment, with its value replaced."""
    value = match[3]
    if not value or value.startswith(REDACTED):
        return match[0]
    quotes = re.match(r"[bru]{0,2}(\\*[\"'])", value)
    quote_mark = quotes[1] if quotes else ""
    return f"{match[1]}{match[2]}{quote_mark}{REDACTED}{quote_mark}"


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is a secret, as of `ACCESS-SIGN`, `apiKey` or `cookies`."""
    return _SECRET_NAME.search(name) is not None


def redact_fields(mapping: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a copy without secrets: values by the name of their key, recursively, and all other strings by `redact`.

    Example:
        >>> redact_fields({"apiKey": "ab12", "params": {"symbol": "BTC", "sign": "cd34"}})
        {'apiKey': '[redacted]', 'params': {'symbol': 'BTC', 'sign': '[redacted]'}}
    """
    return _fields(mapping, 0)


def _fields(mapping: Mapping[Any, Any], depth: int) -> dict[Any, Any]:
    copy = {}
    for key, value in mapping.items():
        clean = redact(key) if isinstance(key, str) else key
        copy[clean] = REDACTED if is_secret_name(_text(key)) else _value(value, depth + 1)
    return copy


def _value(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, bytes, bytearray)):
        return redact(_text(value))
    if depth > MAX_DEPTH:
        return "..."
    if is_mapping(value):
        return _fields(value, depth)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_value(item, depth + 1) for item in value]
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
