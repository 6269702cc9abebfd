"""Gathers from one object, once, everything that the classifier needs to know of it: any error or result → `Evidence`.

No table of codes is searched here. The sources of a code are tried in an order that fits every known client: a body
that is a mapping, JSON in the text, `args[0]`, `.code`, `code=…` in the text. An attribute that raises counts as
absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

from ...errors import ApiError
from ..base.abstract_classes import is_mapping
from ..policy.codes import Executed
from .attributes import ReadAttribute, attribute_reader, get, result_reader, text_of, url_of
from .bodies import codes_in_bodies
from .class_paths import class_paths
from .code_and_status import CODE_NAMES, code_of, codes_from_words, status_from_text, status_of
from .retry_hints import retry_hint

__all__ = ["NAMES", "Evidence", "executed_mark", "gather_evidence"]

NAMES = (
    "status_code", "status", "http_status", "http_status_code", "body", "payload", "error", "data", "_content",
    "_body", "api_code", "args", "code", "headers", "response", "_retry_after",
    "resilience_body", "resilience_code", "resilience_executed", "resilience_from_status", "resilience_headers",
    "resilience_hold_scope",
    "resilience_registry", "resilience_status", "resilience_url", "url",
    *CODE_NAMES,
)  # fmt: skip
"""Every attribute that is read of an error at once, here and in the modules that this one calls."""
_PARSER_CLASSES = frozenset({"aiohttp.HttpProcessingError"})
"""Errors of a client's own parser. The status in them was never sent by a server."""
_EXECUTED = ("no", "maybe", "n_a")
_PROXY_CLASSES = frozenset({"requests.ProxyError", "urllib3.ProxyError"})
"""Errors that say that a proxy was not reached, and may be wrong."""


class Evidence(NamedTuple):
    """Everything that the classifier reads of one object. Absent things are None.

    A named tuple, because one is made for every failure and a frozen dataclass takes four times as long to make.

    Attributes:
        code: the API's code as a string.
        body: the mapping in which a code was found, else the first one that was found at all.
        from_body: the code was found in `body`, not only in attributes, arguments or the text of the error.
        status: the HTTP status.
        text: the text of an error, bounded.
        retry_after: seconds that the server asks the client to wait.
        retry_at: the same as Unix time in seconds.
        class_names: the paths of the object's class and of its bases, `package.Class` first; see `class_paths`.
        registry: `resilience_registry`, the table of codes that the error names as its own, as it is.
        rule_code: `resilience_code`, the row of the base table that the error names as its own.
        banned: the object says that the client is banned until `retry_at`.
        hold_scope: `resilience_hold_scope`, what the integration knows a wait to concern: `host` or `operation`.
        executed: `resilience_executed`, whether the request may have taken effect.
        is_rejection: it is a `RejectedError`: nothing was sent.
        more_codes: further candidates for a code, tried in the tables after `code`. An unknown one is no code: words
            and short numbers in the attributes of an error are among them.
        from_status: `resilience_from_status`, the client made the error's class from the HTTP status alone.
        status_from_code: the status is a number of three digits after the word `code` in a text.
        is_program_error: it is an exception of Python itself, such as a bare `TypeError`: a bug.
        was_connected: the class says that no connection was made, and there was one.
        url: the URL that answered, without its query; empty where it is not known.
    """

    code: str | None = None
    body: Mapping[Any, Any] | None = None
    status: int | None = None
    text: str = ""
    retry_after: float | None = None
    retry_at: float | None = None
    class_names: tuple[str, ...] = ()
    registry: object = None
    rule_code: str | None = None
    executed: Executed | None = None
    is_rejection: bool = False
    is_program_error: bool = False
    from_body: bool = False
    more_codes: tuple[str, ...] = ()
    from_status: bool = False
    status_from_code: bool = False
    banned: bool = False
    hold_scope: str | None = None
    was_connected: bool = False
    url: str = ""

    @property
    def package(self) -> str:
        """Return the top-level package of the object's class."""
        return self.class_names[0].partition(".")[0] if self.class_names else ""


def gather_evidence(source: object, keys: Iterable[str]) -> Evidence:
    """Read code, status, class names and hints from an object.

    Args:
        source: an error, or a returned value that is one.
        keys: the paths at which bodies hold their code, the first that is there counts.
    """
    is_error = isinstance(source, BaseException)
    text, read = (text_of(source), attribute_reader(source, NAMES)) if is_error else ("", result_reader(source))
    response = read("response")
    in_bodies, body, is_mixed = codes_in_bodies(source, read, response, text, tuple(keys))
    code, codes = _all_codes(source, read, text, in_bodies)
    status, from_status, status_from_code = _status(source, read, response, text, has_code=code is not None)
    class_names = class_paths(type(source))
    if status is not None and _is_from_parser(source, class_names):
        status = None
    rule_code = read("resilience_code")
    executed = executed_mark(read("resilience_executed"))
    if is_mixed and executed is None:
        executed = "maybe"  # a list with several outcomes: some of its items may have taken effect
    after, when, banned = retry_hint(source, read, response, text)
    return Evidence(
        code,
        body,
        status,
        text,
        after,
        when,
        class_names,
        read("resilience_registry"),
        rule_code if isinstance(rule_code, str) else None,
        executed,
        from_body=code is not None and in_bodies[:1] == [code],
        # Most errors have one code or none.
        more_codes=tuple([one for one in codes if one != code]) if codes and codes != [code] else (),
        from_status=from_status,
        status_from_code=status_from_code,
        banned=banned,
        hold_scope=read("resilience_hold_scope"),
        was_connected=not _PROXY_CLASSES.isdisjoint(class_names) and _was_connected(source),
        url=url_of(read) or ("" if response is None else url_of(partial(get, response))),
    )


def _all_codes(source: object, read: ReadAttribute, text: str, in_bodies: list[str]) -> tuple[str | None, list[str]]:
    """Return the code, and all candidates: those of the bodies, then those in attributes and text of an error."""
    in_body = in_bodies[0] if in_bodies else None
    code = code_of(read("api_code")) or in_body  # our own clients say it outright
    # An `ApiError` was made from its body, and its attributes only repeat it.
    repeats_its_body = in_body is not None and isinstance(source, ApiError)
    if repeats_its_body or not isinstance(source, BaseException):
        return code, in_bodies
    strong, weak = codes_from_words(source, read, "" if in_bodies else text)
    if code is None and strong:
        code = strong[0]
    return code, [*dict.fromkeys([*in_bodies, *strong, *weak])] if strong or weak else in_bodies


def _status(
    source: object, read: ReadAttribute, response: object, text: str, *, has_code: bool
) -> tuple[int | None, bool, bool]:
    """Return the HTTP status, whether the error was made from it alone, and whether it follows the word `code`."""
    is_error = isinstance(source, BaseException)
    # The code of a body is no HTTP status, although it may be the same number.
    is_of_body = isinstance(source, ApiError) and is_mapping(read("body"))
    status = status_of(read, response, is_error=is_error and not is_of_body)
    from_status = read("resilience_from_status") is True
    # Where the text has a code, three digits in it are a part of a message and no status.
    if not is_error or has_code or status is not None:
        return status, from_status, False
    status, follows_code = status_from_text(text)
    # ccxt writes the status into the texts of the errors that it makes from the status alone.
    return status, from_status or (status is not None and not follows_code), follows_code


def executed_mark(value: object) -> Executed | None:
    """Return the value of a `resilience_executed` attribute, or None when it is not one of the three words."""
    return cast("Executed", value) if isinstance(value, str) and value in _EXECUTED else None


def _was_connected(proxy_error: object) -> bool:
    """Return whether an error of a proxy comes from a connection that was lost after it had been made.

    urllib3 asks a connection that was closed whether it was connected, and the answer is always no: so "unable to
    connect to proxy" may be said of a proxy that has the request.
    """
    args = get(proxy_error, "args")
    wrapped = args[0] if isinstance(args, tuple) and args else None  # by requests, which sets no cause
    lost = get(proxy_error, "__cause__") or get(get(wrapped, "reason"), "__cause__")
    return isinstance(lost, ConnectionError) and not isinstance(lost, ConnectionRefusedError)


def _is_from_parser(source: object, class_names: tuple[str, ...]) -> bool:
    """Return whether an error, or its cause (aiohttp wraps its parser's), was raised by a client's own parser."""
    if not _PARSER_CLASSES.isdisjoint(class_names):
        return True
    cause: object = get(source, "__cause__")
    return cause is not None and not _PARSER_CLASSES.isdisjoint(class_paths(type(cause)))
