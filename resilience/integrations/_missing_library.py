"""Says which extra to install when a client library is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["missing_library", "name_extra"]


@contextmanager
def name_extra(module: str, *, library: str, extra: str) -> Iterator[None]:
    """Add the name of the extra to an ImportError raised in the block.

    Raises:
        ModuleNotFoundError: the library is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        # A library that is installed and lacks a dependency of its own keeps its error.
        if (error.name or "").partition(".")[0] != library:
            raise
        raise missing_library(module, library=library, extra=extra) from error


def missing_library(module: str, *, library: str, extra: str) -> ModuleNotFoundError:
    """Return the error for a module that cannot work without a library."""
    return ModuleNotFoundError(f"{module} needs {library}: pip install 'resilience-middleware[{extra}]'", name=library)
