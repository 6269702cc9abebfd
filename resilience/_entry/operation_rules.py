"""Decides which policy each operation of a wrapped client gets, and adds what the rules say of the operation.

The first match wins: the globs given to `wrap`, the `operations` of the policy file, the client's one policy. An HTTP
request is matched by its method (`post`) or by method and path (`post /v1/orders/*`). In the second case the glob
itself is the operation's name, so that the number of names does not grow with the ids in the paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from os import PathLike
from typing import TYPE_CHECKING, Any

from .._core.call.operation_info import OperationInfo
from .._core.policy.operation_globs import glob_matches, with_lower_method
from .._core.policy.policy import Policy
from .._pipeline.callables import check_lookup, checked_factory, is_async, name_of
from .._pipeline.pipeline import Pipeline
from .glob_checks import check_method_globs, check_request_globs

if TYPE_CHECKING:
    from ..outbox import Outbox
    from .policies import Policies

__all__ = ["OperationRules"]

_OPTIONS = ("policy", "idempotent", "key", "reconcile", "lane", "key_factory")


class OperationRules:
    """The rules of one wrapped client. Immutable, hence safe across threads and tasks.

    Attributes:
        policy: the policy of operations that no glob matches, or its name.
        outbox: records keyed writes before they are sent, or None.
    """

    def __init__(
        self,
        policy: str | Policy,
        operations: Mapping[str, Any] | None,
        get_policies: Callable[[], Policies],
        outbox: Outbox | None = None,
    ) -> None:
        """Read the globs.

        Args:
            policy: the policy of operations that no glob matches, or its name.
            operations: globs of operation names → a policy's name or a mapping of options; None for no globs.
            get_policies: returns the policies in force; called for each operation that is compiled.
            outbox: records keyed writes before they are sent.

        Raises:
            TypeError: `operations` holds something other than a policy's name or known options; the outbox is a path.
        """
        if operations is not None and not isinstance(operations, Mapping):
            raise TypeError(f"operations takes a mapping of globs, not {type(operations).__name__}")
        if isinstance(outbox, (str, PathLike)):
            raise TypeError(f"outbox takes an Outbox, not a path; write outbox=Outbox({str(outbox)!r})")
        self.policy = policy
        self.outbox = outbox
        self._get_policies = get_policies
        self._globs = [(glob, _options(glob, value)) for glob, value in (operations or {}).items()]
        self._path_globs = [with_lower_method(glob) for glob, _ in self._globs if "/" in glob]

    @property
    def policies(self) -> Policies:
        """The policies in force."""
        return self._get_policies()

    @property
    def named(self) -> tuple[str | Policy, ...]:
        """The policies that the globs and `wrap` name."""
        named = (self.policy, *(options.get("policy") for _, options in self._globs))
        return tuple(policy for policy in named if isinstance(policy, (str, Policy)))

    def check_reconcilers(self, *, asynchronous: bool) -> None:
        """Check the reconcilers of an HTTP client.

        Raises:
            TypeError: one of them takes more or less than the call, is a class, or is async and nothing would await it.
        """
        for glob, options in self._globs:
            reconcile = options.get("reconcile")
            if reconcile is None:
                continue
            if not asynchronous and is_async(reconcile):
                name = name_of(reconcile)
                raise TypeError(f"operations[{glob!r}]: the client is not async, so reconcile {name}() cannot be async")
            try:
                check_lookup(reconcile)
            except TypeError as error:
                raise TypeError(f"operations[{glob!r}]: {error}") from None

    def check_policies(self, policies: Policies) -> None:
        """Check that the policies exist which the globs and `wrap` name, and load what calls under them need.

        Raises:
            PolicyError: one does not; the message lists the names.
        """
        policies.load_needs(*self.named)

    def check_request_globs(self) -> None:
        """Check the globs of an HTTP client.

        Raises:
            TypeError: a glob matches no request.
        """
        check_request_globs(glob for glob, _ in self._globs)

    def check_method_globs(self, client: Any) -> None:
        """Check the globs of a client whose methods are its operations.

        Raises:
            TypeError: a glob matches no method.
        """
        check_method_globs((glob for glob, _ in self._globs), client)

    @property
    def by_path(self) -> bool:
        """Whether some glob names a path; without one, requests differ by method and host alone."""
        return bool(self._path_globs or self.policies.path_globs)

    def name(self, method: str, path: str) -> str:
        """Return the operation's name of an HTTP request: the first glob that matches its path, else its method."""
        verb = method.lower()
        request = f"{verb} {path}"
        globs = (*self._path_globs, *self.policies.path_globs)
        return next((glob for glob in globs if fnmatchcase(request, glob)), verb)

    def resolve(self, info: OperationInfo) -> tuple[Pipeline, OperationInfo]:
        """Return the pipeline of an operation, and `info` with what the rules add."""
        policy: Any = self.policy
        rule = self.policies.rule_for(info.operation)
        if rule is not None:
            policy = rule.policy or policy
            info = _with_options(info, rule.match, idempotent=rule.idempotent, key=rule.key, lane=rule.lane)
        for glob, options in self._globs:
            if glob_matches(glob, info.operation):
                policy = options.get("policy", self.policy)
                info = _with_own_options(info, glob, options)
                break
        return self.policies.current_pipeline(policy, info.operation), info

    def check_key_factories(self) -> None:
        """Reject a `key_factory` without a `key`, for a client that has no keys of its own.

        Raises:
            TypeError: a glob sets the one without the other.
        """
        for glob, options in self._globs:
            if "key_factory" in options:
                checked_factory(options["key_factory"], options.get("key"), f"operations[{glob!r}]")

    def check_key_on_reload(self, operation: str, fn: Callable[..., Any]) -> None:
        """Have a reload checked against this method, unless a glob of this client sets its key."""
        if not any("key" in options and glob_matches(glob, operation) for glob, options in self._globs):
            self.policies.check_key_on_reload(operation, fn)

    def compile(self, fn: Callable[..., Any], info: OperationInfo) -> Callable[..., Any]:
        """Compile a method by the rules in force."""
        pipeline, info = self.resolve(info)
        if self.outbox is not None and self.outbox.covers(info):
            return self.outbox.compile_recorded(pipeline, fn, info)
        return pipeline.compile(fn, info)


def _options(glob: str, value: Any) -> dict[str, Any]:
    """Return the options that `operations` gives a glob; raises a `TypeError` that names what is wrong."""
    if not isinstance(glob, str):
        raise TypeError(f"operations takes globs of operation names, not {type(glob).__name__}")
    if "://" in glob:
        method, _, url = glob.rpartition(" ")
        request = f"{method or 'post'} /{url.partition('://')[2].partition('/')[2]}"
        raise TypeError(f"operations[{glob!r}] matches no request: write the method and the path, {request!r}")
    if isinstance(value, str):
        return {"policy": value}
    if not isinstance(value, Mapping):
        raise TypeError(f"operations[{glob!r}] takes a policy's name or a mapping, not {type(value).__name__}")
    unknown = [name for name in value if name not in _OPTIONS]
    if unknown:
        raise TypeError(f"operations[{glob!r}]: unknown {', '.join(unknown)}; allowed: {', '.join(_OPTIONS)}")
    policy = value.get("policy")
    if policy is not None and not isinstance(policy, (str, Policy)):
        raise TypeError(f"operations[{glob!r}]: policy takes a policy's name, not {type(policy).__name__}")
    for name, (is_valid, expected) in _CHECKS.items():
        option = value.get(name)
        if option is not None and not is_valid(option):
            raise TypeError(f"operations[{glob!r}]: {name} takes {expected}, not {option!r}")
    return {name: option for name, option in value.items() if option is not None}


_CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "idempotent": (lambda option: isinstance(option, bool), "True or False"),
    "key": (lambda option: isinstance(option, str) and option != "", "the name of what carries the key"),
    "reconcile": (callable, "a function"),
    "lane": (lambda option: isinstance(option, str) or callable(option), "a lane's name or a function"),
    "key_factory": (callable, "a function"),
}
"""What an option may be, and how to say so. A wrong one would be noticed when money is at stake, or never."""


def _with_own_options(info: OperationInfo, glob: str, options: Mapping[str, Any]) -> OperationInfo:
    """Return the info with the options of a glob that the user gave; a factory of keys is consent to keys."""
    make_key = options.get("key_factory")
    others = {name: value for name, value in options.items() if name not in ("policy", "key_factory")}
    info = _with_options(info, glob, **others)
    if make_key is None:
        return info
    return replace(info, make_key=checked_factory(make_key, info.key, info.operation), needs_consent=False)


def _with_options(info: OperationInfo, glob: str, **options: Any) -> OperationInfo:
    """Return the info with the options of a glob.

    An HTTP method, or a method's name, only suggests what an operation does. A caller who gives it a key or a
    reconciler, or says that it is not idempotent, knows that it writes, and that sending it twice is not harmless
    unless said so. A glob of wildcards alone names no operation: the reads among those that it matches stay reads.
    """
    given = {name: value for name, value in options.items() if value is not None}
    names_it = glob.strip("*?/ ") != ""
    if given.get("idempotent") is False or (names_it and ("key" in given or "reconcile" in given)):
        given = {"idempotent": False, **given, "read": False}
    return replace(info, **given)
