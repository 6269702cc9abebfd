"""Names the keys in the store. All keys of one thing have one hash tag, so that a cluster keeps them in one slot."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

__all__ = ["KeySpace", "digest_of"]

_VERSION = "rs1"


class KeySpace:
    """The keys of one namespace.

    No key shows the key of an account, a host or an operation: they are digests.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def tag(self, name: str, identity: Iterable[object] = ()) -> str:
        """Return the prefix of all keys of one thing, such as `rs1:{desk-a:orders:4f2a…}:`.

        Args:
            name: what it is, in words that may be seen.
            identity: what else tells it apart, of which only a digest is seen.
        """
        return f"{_VERSION}:{{{self._namespace}:{name}:{digest_of(identity)}}}:"


def digest_of(identity: Iterable[object]) -> str:
    """Return what is seen in the store of what may not be seen there."""
    text = "\0".join(map(str, identity))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
