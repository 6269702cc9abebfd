"""Walks from an error to what it came from, and gathers the `Evidence` of each error on the way, once.

The classifier reads an `ErrorChain` and nothing else: an error's attributes, class and causes are read here.
"""

from __future__ import annotations

from ...errors import RejectedError
from ..policy.codes import Executed
from .attributes import get
from .evidence import Evidence, executed_mark, gather_evidence

__all__ = ["MAX_ERRORS", "ErrorChain", "causes_of", "contexts_of", "is_program_error"]

MAX_ERRORS = 32
"""Errors of one chain that are looked at."""
_MAX_MEMBERS = 64
_MAX_ARGS = 4
_PROGRAM_ERRORS = (
    TypeError, AttributeError, LookupError, NameError, AssertionError, ImportError, NotImplementedError,
    ArithmeticError, ValueError, RecursionError, MemoryError, BufferError, ReferenceError, StopIteration,
    StopAsyncIteration, SyntaxError, SystemError,
)  # fmt: skip


class ErrorChain:
    """Everything that the classifier reads of one outcome. Lives for one classification, in one thread.

    Attributes:
        evidence: of the outcome, then of its causes, nearest first. A rejection, a bug of the program and a group
            are decided without their causes: theirs is one entry with only what that decision needs.
        members: the errors of a group, at most 64; empty for anything else.
    """

    __slots__ = ("_errors", "_keys", "evidence", "members")

    def __init__(self, outcome: object, keys: tuple[str, ...]) -> None:
        """Gather the evidence of an outcome and its causes.

        Args:
            outcome: any error or returned value.
            keys: the names under which bodies hold their code.
        """
        self._keys = keys
        self._errors: list[object] = [outcome]
        self.members: tuple[BaseException, ...] = ()
        if isinstance(outcome, RejectedError):
            after = get(outcome, "retry_after")
            self.evidence = [Evidence(retry_after=after, executed=_mark(outcome), is_rejection=True)]
        elif is_program_error(outcome):
            self.evidence = [Evidence(executed=_mark(outcome), is_program_error=True)]
        elif isinstance(outcome, BaseExceptionGroup):
            self.members = outcome.exceptions[:_MAX_MEMBERS]
            self.evidence = [Evidence(executed=_mark(outcome))]
        else:
            self._errors = causes_of(outcome)
            self.evidence = [gather_evidence(error, keys) for error in self._errors]

    def contexts(self) -> list[Evidence]:
        """Return the evidence of what was being handled when these errors were raised; bugs are left out.

        Gathered when it is first needed: most errors explain themselves.
        """
        behind = [error for error in contexts_of(self._errors) if not isinstance(error, _PROGRAM_ERRORS)]
        return [gather_evidence(error, self._keys) for error in behind]


def is_program_error(outcome: object) -> bool:
    """Return whether an error is Python's own for a bug: a subclass of a library may mean an API's answer."""
    return isinstance(outcome, _PROGRAM_ERRORS) and type(outcome).__module__ == "builtins"


def _mark(outcome: object) -> Executed | None:
    return executed_mark(get(outcome, "resilience_executed"))


def causes_of(error: object) -> list[object]:
    """Return an error and what it came from, nearest first; cycles and long chains are cut.

    What was merely being handled when it was raised is not among them: see `contexts_of`.
    """
    return _walk([error], set())


def contexts_of(errors: list[object]) -> list[object]:
    """Return the `__context__` errors of these errors, with their causes.

    It may be where a client found its own error. It may also be another call's error, which the caller was handling
    when it made this call. So it may explain an error that nothing else explains, but it never proves that nothing
    has happened.
    """
    return _walk(_contexts(errors), {id(error) for error in errors}, contexts=True)


def _walk(queue: list[object], seen: set[int], *, contexts: bool = False) -> list[object]:
    """Visit errors breadth first, each once; `seen` holds their ids, because an error may define `__eq__`."""
    visited: list[object] = []
    while queue and len(visited) < MAX_ERRORS:
        error = queue.pop(0)  # O(n), but n is at most a few dozen
        if id(error) in seen:
            continue
        seen.add(id(error))
        visited.append(error)
        queue += _sources(error)
        queue += _contexts([error]) if contexts else ()
    return visited


def _sources(error: object) -> list[object]:
    """Return cause, members, `reason` (urllib3) and arguments (requests wraps urllib3's error) of an error."""
    if not isinstance(error, BaseException):
        return []
    near: list[object] = [error.__cause__]
    if isinstance(error, BaseExceptionGroup):
        near += error.exceptions[:MAX_ERRORS]
    near.append(get(error, "reason"))  # an exception only in urllib3; `UnicodeError.reason` is a string
    args = get(error, "args")
    near += args[:_MAX_ARGS] if isinstance(args, tuple) else ()
    return [source for source in near if isinstance(source, BaseException)]


def _contexts(errors: list[object]) -> list[object]:
    # `raise … from …` sets `__suppress_context__`: the author named the cause, so the context explains nothing.
    raised = [error for error in errors if isinstance(error, BaseException) and not error.__suppress_context__]
    return [error.__context__ for error in raised if isinstance(error.__context__, BaseException)]
