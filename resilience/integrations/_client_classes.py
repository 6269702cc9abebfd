"""Makes classes for the integrations: wrapped clients, and rejections that are also errors of the client's library."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any

from ..errors import AdmissionRejectedError, CircuitOpenError, DeadlineExceededError, QuotaExceededError, RejectedError
from ..telemetry.concealment import conceal_arguments

__all__ = ["concealing_methods", "original_class", "rejection_types", "wrapped_class"]

_REJECTIONS = (AdmissionRejectedError, CircuitOpenError, DeadlineExceededError, QuotaExceededError, RejectedError)
_WRAPPED: dict[type, type] = {}
"""The original class of a client → the class of its wrapped clients."""


def rejection_types(base: type[Exception], module: str, prefix: str) -> dict[type, type]:
    """Return each of our rejection classes with a subclass that also inherits the client's error base.

    Users of the client's library then catch a rejection with the `except` clause that they have already.

    Args:
        base: the error base of the client's library.
        module: the name of the module that gets the new classes as attributes, so that they can be pickled.
        prefix: what the names of the new classes begin with.
    """
    subclasses: dict[type, type] = {}
    for rejection in _REJECTIONS:
        name = prefix + rejection.__name__
        summary = str(rejection.__doc__).partition("\n")[0].rstrip(".")
        doc = f"{summary}; also a `{base.__module__.partition('.')[0]}.{base.__name__}`."
        subclasses[rejection] = type(name, (rejection, base), {"__doc__": doc, "__module__": module})
        if module in sys.modules:  # not where a program has executed a text
            setattr(sys.modules[module], name, subclasses[rejection])
    return subclasses


def original_class(client: object) -> type:
    """Return the class of a client before it was wrapped.

    A client that is wrapped a second time is then only under the newer policy.
    """
    own = type(client)
    # A class that a user derives from a wrapped class is not in the table: it is its own original.
    return own.__bases__[0] if _WRAPPED.get(own.__bases__[0]) is own else own


def wrapped_class(original: type, methods: Mapping[str, Any]) -> type:
    """Return the subclass for wrapped clients of this class, with these methods; it is made once."""
    wrapped = _WRAPPED.get(original)
    if wrapped is None:
        # A slot instead of an entry in `__dict__`: the wrapped client shares its `__dict__` with the original.
        namespace: dict[str, Any] = {
            "__slots__": ("_resilience",),
            "__doc__": original.__doc__,
            "__module__": original.__module__,
        }
        # A copy would have the client's attributes without the slot, and would send under no policy.
        namespace |= {"__copy__": _refuse_copy, "__deepcopy__": _refuse_copy, "__reduce_ex__": _refuse_copy}
        wrapped = _WRAPPED[original] = type(original.__name__, (original,), {**namespace, **methods})
    return wrapped


def _refuse_copy(_client: Any, *_arguments: Any) -> Any:
    raise TypeError("a wrapped client holds locks and clocks: copy or pickle the client itself and wrap it again")


def concealing_methods(original: type, names: Iterable[str]) -> dict[str, Any]:
    """Return these methods of a client's class such that no frame beneath them shows credentials that they were given.

    The client's own `get` and the like are still running when an error passes them, so their arguments are concealed.
    """
    return {name: _concealing(getattr(original, name)) for name in names if hasattr(original, name)}


def _concealing(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    async def call_async(self: Any, *args: Any, **kwargs: Any) -> Any:
        conceal_arguments(kwargs)
        return await method(self, *args, **kwargs)

    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        conceal_arguments(kwargs)
        return method(self, *args, **kwargs)

    return call_async if iscoroutinefunction(method) else call
