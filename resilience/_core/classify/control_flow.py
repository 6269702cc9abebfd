"""Recognises exceptions by which a framework or a program steers itself: no service has failed.

They are neither retried nor counted, and reach the caller unchanged. The classes are known by their paths, so that
no framework is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ..base.bounded_dict import BoundedDict
from .attributes import get
from .class_paths import class_paths

__all__ = ["ControlFlow", "loaded_class"]

_PATHS = frozenset(
    {
        # Python
        "builtins.StopIteration",
        "builtins.StopAsyncIteration",
        "concurrent.futures.CancelledError",
        "unittest.case.SkipTest",
        # queues of tasks
        "arq.worker.Retry",
        "billiard.exceptions.SoftTimeLimitExceeded",
        "celery.exceptions.Ignore",
        "celery.exceptions.Reject",
        "celery.exceptions.Retry",
        "huey.exceptions.CancelExecution",
        "huey.exceptions.RetryTask",
        "rq.timeouts.JobTimeoutException",
        # chat bots
        "telegram.ext.ApplicationHandlerStop",
        # web frameworks
        "django.core.exceptions.PermissionDenied",
        "django.http.response.Http404",
    }
)
"""Classes that are control flow, subclasses included."""
_MODULES = frozenset({"aiohttp.web_exceptions"})
"""Modules all of whose exceptions are control flow."""
_PATHS_BELOW_500 = frozenset(
    {
        "rest_framework.exceptions.APIException",
        "starlette.exceptions.HTTPException",  # FastAPI's is a subclass
        "werkzeug.exceptions.HTTPException",  # Flask's `abort`
    }
)
"""Classes that are control flow if their status is below 500."""
_STATUS_NAMES = ("status_code", "code")
_MAX_CLASSES = 512  # whose answer is remembered


class ControlFlow:
    """The control flow of one policy: the classes known here, and those that the policy adds.

    Safe across threads and tasks.
    """

    __slots__ = ("_added", "_answers", "_paths")

    def __init__(self, added: Iterable[type | str] = ()) -> None:
        """Add classes, or their import paths, to the known ones."""
        added = tuple(added)
        self._added = tuple(one for one in added if isinstance(one, type))
        self._paths = tuple(_full_path(one) for one in added if isinstance(one, str))
        self._answers: BoundedDict[type, bool | None] = BoundedDict(_MAX_CLASSES)

    def includes(self, outcome: object) -> bool:
        """Return whether an outcome is an exception that steers the program. A group is, if all its members are."""
        try:
            if self._answers.get(type(outcome)) is False:
                return False  # nearly every error is of a class that was asked about before, and is none
        except TypeError:  # a class without a hash, because its metaclass has none
            pass
        return self._includes(outcome, set())

    def _includes(self, outcome: object, seen: set[int]) -> bool:
        kind = type(outcome)
        if not issubclass(kind, Exception):
            return False
        if issubclass(kind, BaseExceptionGroup):
            seen.add(id(outcome))  # groups may share members; the first that is no control flow ends the search
            members = getattr(outcome, "exceptions", ())
            return bool(members) and all(id(member) in seen or self._includes(member, seen) for member in members)
        try:
            answer = self._answers[kind]
        except KeyError:
            answer = self._answers[kind] = self._of_class(kind)
        except TypeError:  # see `includes`
            answer = self._of_class(kind)
        return _is_below_500(outcome) if answer is None else answer

    def _of_class(self, kind: type) -> bool | None:
        """Return whether the exceptions of a class are control flow; None if their status decides."""
        names = class_paths(kind)
        if issubclass(kind, self._added) or not _PATHS.isdisjoint(names):
            return True
        if any(base.__module__ in _MODULES for base in kind.__mro__):
            return True
        if any(path in names or issubclass(kind, loaded_class(path) or ()) for path in self._paths):
            return True
        return False if _PATHS_BELOW_500.isdisjoint(names) else None


def loaded_class(path: str) -> type | None:
    """Return the class at an import path if its module is loaded, else None. Nothing is imported."""
    module, _, name = path.rpartition(".")
    # Not `getattr`, by which a module may import others.
    found = getattr(sys.modules.get(module), "__dict__", {}).get(name)
    return found if isinstance(found, type) else None


def _full_path(path: str) -> str:
    return path if "." in path else f"builtins.{path}"


def _is_below_500(error: object) -> bool:
    statuses = [get(error, name) for name in _STATUS_NAMES]
    status = next((status for status in statuses if isinstance(status, int)), 500)
    return status < 500
