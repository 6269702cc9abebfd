"""Names a class by the paths under which a program may know it, for tables that must not import its package."""

from __future__ import annotations

from ..base.by_class import remember_by_class

__all__ = ["class_paths"]


# An error class comes back with every failure, so its names are made once.
@remember_by_class
def class_paths(kind: type) -> tuple[str, ...]:
    """Return the paths of a class and its bases, in method resolution order.

    Of each class first `package.Class`, then the path that Python prints (`package.module.Class`), then the paths of
    the packages in between, from which it may be imported as well.

    Example:
        >>> class_paths(ConnectionError)[0]
        'builtins.ConnectionError'
    """
    names: dict[str, None] = {}
    for base in kind.__mro__:
        module = getattr(base, "__module__", "")
        module = module if isinstance(module, str) else ""
        names[f"{module.partition('.')[0]}.{base.__name__}"] = None
        while module:
            names[f"{module}.{base.__qualname__}"] = None
            module = module.rpartition(".")[0]
    return tuple(names)
