"""Refuses requests to the sandbox's controls that a web page may have made, by their `Host` and `Origin`.

A page in a browser on this machine can reach loopback ports. Its own origin shows in `Origin`. If its domain resolves
to loopback (DNS rebinding), that domain shows in `Host`, while programs use an address or a name of the local network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["refusal"]

_LOCAL_NAME = re.compile(r"[a-z0-9_-]+(?:\.localhost)?(?::[0-9]+)?", re.ASCII | re.IGNORECASE)


def refusal(headers: Mapping[str, str]) -> str | None:
    """Return why a request to a control is refused, or None; the names of headers are in lower case."""
    host = headers.get("host", "")
    if not _is_local(host):
        return "Host: expected an address, localhost, or a name without a dot"
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return "Origin: pages of other origins cannot use the controls"
    return None


def _is_local(host: str) -> bool:
    """Return whether no domain of the internet can be this host."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        ip_address(name)
    except ValueError:
        return _LOCAL_NAME.fullmatch(host) is not None
    return True
