"""Defines the settings of `shared`: the store that several processes of one account share, and what they share.

To let a further part be shared, add its name to `SHAREABLE` together with the part in `fleet/`. A name that is not
there is a mistake in the file: a setting that has no effect is never accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from .contradictions import Contradiction, Rule
from .given import Duration, Given, default
from .section import Section
from .units import About, Spec

__all__ = ["SHAREABLE", "SharedSettings", "without_credentials"]

SHAREABLE = ("quota", "holds", "breaker", "budget", "switch")
"""What several processes can share."""
SCHEMES = ("redis://", "rediss://", "unix://", "redis+sentinel://", "redis+cluster://", "rediss+cluster://")
_NAMESPACE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_USER = re.compile(r"(?<=://).*@")  # to the last @: a password may contain one
_QUERY = re.compile(r"\?.*")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:,/\[\]]+)(:[0-9]{1,5})?")


def _known_parts(shared: Any) -> Iterator[Contradiction]:
    if not shared.share:
        yield Contradiction("share", f"nothing is shared; expected some of {', '.join(SHAREABLE)}")
    for index, name in enumerate(shared.share):
        if name in shared.share[:index]:
            yield Contradiction(f"share[{index}]", f"{name!r} is there twice")
        if name not in SHAREABLE:
            supported = ", ".join(SHAREABLE)
            yield Contradiction(f"share[{index}]", f"{name!r} is not supported; supported: {supported}")


def _store_url(shared: Any) -> Iterator[Contradiction]:
    if not shared.url.startswith(SCHEMES):
        yield Contradiction("url", f"expected the URL of a store: {', '.join(SCHEMES)}")
        return
    scheme, _, address = without_credentials(shared.url).partition("://")
    if scheme == "unix":
        if not address.startswith("/"):
            yield Contradiction("url", "expected the path of a socket, as in unix:///run/redis.sock")
    elif not all(_HOST.fullmatch(host) for host in address.partition("/")[0].split(",")):
        yield Contradiction("url", f"expected a host, and a port as a number: {scheme}://HOST:PORT")


def _plain_namespace(shared: Any) -> Iterator[Contradiction]:
    if not _NAMESPACE.fullmatch(shared.namespace):
        yield Contradiction("namespace", "expected 1 to 64 letters, digits, dots, hyphens or underscores")


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedSettings(Section):
    """What several processes of one account share, and the store through which they share it."""

    RULES: ClassVar[tuple[Rule, ...]] = (_known_parts, _store_url, _plain_namespace)

    # Not in the text form of the settings: it may have a password.
    url: Annotated[
        str,
        About("The store, Redis or Valkey. A password comes from the environment only.", '"${RESILIENCE_SHARED_URL}"'),
    ] = field(repr=False)
    namespace: Annotated[str, About("Name of the fleet: processes with the same name share their state.", "desk-a")] = (
        "default"
    )
    processes: Annotated[int, Spec("count", 1, 1000, "The most processes that run at once.", "8")] = 8
    patience: Given[
        Annotated[
            float,
            Spec(
                "duration",
                0.001,
                10,
                "The longest wait for an answer of the store; then the process goes on alone.",
                "50ms",
            ),
        ],
        Duration,
    ] = default(0.05)
    lease: Given[
        Annotated[float, Spec("duration", 0.01, 10, "How long leased permits can be used.", "100ms")], Duration
    ] = default(0.1)
    share: Given[Annotated[tuple[str, ...], About("What is shared.", "[quota]")], Sequence[str]] = default(SHAREABLE)


def without_credentials(url: str) -> str:
    """Return a store's URL as messages may show it: without user, password and parameters."""
    return _QUERY.sub("", _USER.sub("", url))
