"""What HTTP clients have in common: what a method means, how a request is named, where its key travels.

Each client's file says how one attempt is made; everything else about its calls stands here once.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from .._core.call.context import current_call
from .._core.call.operation_info import OperationInfo
from .._core.call.reconcile import Found
from .._core.classify.classifier import Classifier
from .._entry.recompile import recompiled
from .._pipeline.callables import is_async
from ..errors import AdmissionRejectedError, CircuitOpenError, DeadlineExceededError, QuotaExceededError, RejectedError

__all__ = [
    "KEY_HEADER",
    "Answer",
    "Calls",
    "Client",
    "Left",
    "Way",
    "header_of",
    "in_doubt",
    "is_json",
    "own_class",
    "redirected",
    "refusals",
    "shorter",
    "time_left",
    "with_header",
    "wrapped_class",
]

KEY_HEADER = "Idempotency-Key"
"""The header that carries the key of a write with a reconciler, where its rules name no other."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_IDEMPOTENT = _READS | {"PUT", "DELETE"}
_MOST = 1024  # compiled calls kept for one client
_LEAST = 0.001  # seconds of the shortest timeout that is handed to a client
_ALMOST, _CONNECT = 0.95, 0.8  # of an async attempt's time


class Answer(NamedTuple):
    """What came back: the status, its words, the headers and the whole body."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes


class Way(NamedTuple):
    """How an attempt is to be made.

    Attributes:
        header: name of the header that carries the key, or None.
        whole: tells whether a JSON body is to be read within the attempt: the policy's code tables have
            an envelope, or the write can be looked up, so that an answer that breaks off is settled
            too. Asked after an answer, since it reads the tables.
        counted: name of the header that tells the number of the attempt, or None.
    """

    header: str | None
    whole: Callable[[], bool]
    counted: str | None = None

    def headers(self, key: str | None) -> dict[str, str]:
        """Return the headers that an attempt adds: its key, and its number where the policy asks for it."""
        made = {} if self.header is None or key is None else {self.header: key}
        call = current_call()
        if self.counted is not None and call is not None:
            made[self.counted] = str(call.attempt)
        return made


class Client(Protocol):
    """What an integration says of its client."""

    asynchronous: bool
    refusals: Mapping[type, type]

    def attempt(self, way: Way) -> Callable[..., Any]:
        """Return the function that makes one attempt; it takes the key as its keyword `idempotency_key`."""

    def own_key(self, header: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> str | None:
        """Return the key that the caller has put in the header."""

    def bad(self, answer: Any) -> bool:
        """Tell whether a returned answer is a failure that the caller gets back as it is."""

    def answer_of(self, body: bytes) -> Any:
        """Return a good answer with this JSON body, for a write that was found; None where none can be made."""

    @property
    def discard(self) -> Callable[[Any], Any]:
        """What closes an answer that is thrown away for a retry; async where the client is."""


class Rules(Protocol):
    """What is asked of the rules of a client; `resilience._entry.operation_rules.OperationRules` is one."""

    @property
    def by_path(self) -> bool: ...
    def name(self, method: str, path: str) -> str: ...
    def resolve(self, info: OperationInfo) -> tuple[Any, OperationInfo]: ...


class Calls:
    """The compiled calls of one client: one a method, host, kind of body, and path where a rule names paths.

    Safe across threads and tasks.
    """

    def __init__(self, client: Client, rules: Rules) -> None:
        """Take the rules.

        Raises:
            TypeError: they bring an outbox: headers and URLs may hold credentials, which it must not keep.
        """
        if getattr(rules, "outbox", None) is not None:
            raise TypeError("an outbox cannot keep the calls of a plain HTTP client: wrap the client that signs them")
        self._client = client
        self._rules = rules
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def of(self, method: str, url: str, *, send_once: bool = False) -> Callable[..., Any]:
        """Return the compiled call for a request; `send_once` says that its body cannot be replayed."""
        method = method.upper()
        host, path = _where(url)
        route = (method, host, send_once, path if self._rules.by_path else "")
        found = self._compiled.get(route)
        if found is None:
            if len(self._compiled) >= _MOST:
                self._compiled.clear()
            found = recompiled(
                lambda: self._build(method, host, path, send_once), asynchronous=self._client.asynchronous
            )
            self._compiled[route] = found
        return found

    def _build(self, method: str, host: str, path: str, send_once: bool) -> Callable[..., Any]:
        client = self._client
        info = OperationInfo(
            operation=self._rules.name(method, path),
            idempotent=method in _IDEMPOTENT,
            read=method in _READS,
            host=host,
            rejection_types=client.refusals,
            send_once=send_once,
            is_error_response=client.bad,
            discard=client.discard,
        )
        pipeline, info = self._rules.resolve(info)
        keyed = not info.read and (info.key or info.reconcile)
        header = (info.key or KEY_HEADER) if keyed else None
        settled = header is not None and info.reconcile is not None
        whole = lambda: settled or _asks_for_body(pipeline.policy.classify_results, pipeline.classifier)  # noqa: E731
        way = Way(header, whole, pipeline.policy.attempt_header)
        look = None if info.reconcile is None else _answering(client, info.reconcile)
        bound = replace(info, key="idempotency_key" if header else None, reconcile=look)
        compiled: Callable[..., Any] = pipeline.compile(client.attempt(way), bound)
        if header is None:
            return compiled

        def call(*args: Any, **kwargs: Any) -> Any:
            return compiled(*args, idempotency_key=client.own_key(header, args, kwargs), **kwargs)

        return call


def _where(url: str) -> tuple[str, str]:
    """Return (host, path); both empty for what is no URL, of which the client itself will complain."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.netloc.rpartition("@")[2], parts.path


def is_json(content_type: str | None) -> bool:
    """Tell whether an answer's content type says that its body is JSON."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind == "application/json" or kind.endswith("+json")


class Left(NamedTuple):
    """Seconds that a client may take for the attempt under way: for its connection, and for anything else."""

    connect: float
    other: float


def time_left(*, asynchronous: bool = False) -> Left | None:
    """Return what is left for the attempt under way, or None without a limit.

    An async attempt is cut at its limit. Its client is told to give up before, sooner while it
    connects: its own error says whether the request had left, and the cut does not.
    """
    call = current_call()
    left = None if call is None else call.timeout
    if left is None:
        return None
    return Left(_CONNECT * left, _ALMOST * left) if asynchronous else Left(left, left)


def shorter(given: float | None, left: float) -> float:
    """Return the shorter of the caller's timeout and the seconds left, never 0, which clients refuse or misread."""
    left = max(left, _LEAST)
    return left if given is None else min(given, left)


def with_header(given: Any, name: str, value: str) -> list[tuple[str, str]]:
    """Return headers, a mapping or pairs, with this one in place of any that is spelled otherwise."""
    pairs = given.items() if hasattr(given, "items") else given or ()
    return [*((key, one) for key, one in pairs if str(key).lower() != name.lower()), (name, value)]


def header_of(given: Any, name: str) -> str | None:
    """Return a header's value from a mapping or pairs, however its name is spelled."""
    pairs = given.items() if hasattr(given, "items") else given or ()
    found = next((one for key, one in pairs if str(key).lower() == name.lower()), None)
    return found.decode() if isinstance(found, bytes) else found


def in_doubt(outcome: Any) -> None:
    """Say of an error or an answer that the request may have been carried out, whatever it looks like."""
    try:
        outcome.resilience_executed = "maybe"
    except AttributeError:
        pass


def redirected(answer: Any) -> Any:
    """Return an answer; one that came after a redirect is in doubt: whoever redirected may have carried it out."""
    for hop in answer.history:
        status = hop.status if hasattr(hop, "status") else hop.status_code
        if 300 <= status < 400:
            in_doubt(answer)
    return answer


def _answering(client: Client, look: Callable[..., Any]) -> Callable[..., Any]:
    """Return a reconciler whose find is what a request returns: plain data becomes the body of a good answer."""

    def answer(found: Any) -> Any:
        if not isinstance(found, Found) or not isinstance(found.value, (dict, list)):
            return found
        made = client.answer_of(json.dumps(found.value).encode())
        return found if made is None else replace(found, value=made)

    if is_async(look):

        async def alook(call: Any) -> Any:
            return answer(await look(call))

        return alook
    return lambda call: answer(look(call))


def _asks_for_body(classify_results: bool, classifier: Classifier) -> bool:
    return classify_results and classifier.enveloped


def refusals(base: type[Exception], module: str, prefix: str) -> dict[type, type]:
    """Return our refusals as users of a client catch them: each also inherits the client's error base.

    The classes become names of `module`, so that they can be pickled.
    """
    made: dict[type, type] = {}
    for kind in (AdmissionRejectedError, CircuitOpenError, DeadlineExceededError, QuotaExceededError, RejectedError):
        name = prefix + kind.__name__
        first = str(kind.__doc__).partition("\n")[0].rstrip(".")
        words = f"{first}; also a `{base.__module__.partition('.')[0]}.{base.__name__}`."
        made[kind] = type(name, (kind, base), {"__doc__": words, "__module__": module})
        setattr(sys.modules[module], name, made[kind])
    return made


_CLASSES: dict[type, type] = {}


def own_class(client: object) -> type:
    """Return a client's own class, of a wrapped one too: what is wrapped again is under the newer policy alone."""
    kind = type(client)
    return kind.__bases__[0] if _CLASSES.get(kind.__bases__[0]) is kind else kind


def wrapped_class(original: type, methods: Mapping[str, Any]) -> type:
    """Return the class of wrapped clients of this class, made once; these methods stand over the original's."""
    made = _CLASSES.get(original)
    if made is None:
        space = {"__slots__": ("_resilience",), "__doc__": original.__doc__, "__module__": original.__module__}
        made = _CLASSES[original] = type(original.__name__, (original,), {**space, **methods})
    return made
