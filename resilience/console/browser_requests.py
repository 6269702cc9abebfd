"""Refuses requests that a web page may have made to a server of ours on this machine, by their `Host` and `Origin`.

A page in a browser on this machine can reach loopback ports. Its own origin shows in `Origin`. If its domain resolves
to loopback (DNS rebinding), that domain shows in `Host`, while programs use an address or a name of the local network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["is_loopback", "loopback_refusal", "refusal"]

_LOCAL_NAME = re.compile(r"[a-z0-9_-]+(?:\.localhost)?(?::[0-9]+)?", re.ASCII | re.IGNORECASE)


def refusal(headers: Mapping[str, str]) -> str | None:
    """Return why a request to a control is refused, or None; the names of headers are in lower case."""
    host = headers.get("host", "")
    if not _is_local(host):
        return "Host: expected an address, localhost, or a name without a dot"
    return _origin_refusal(headers, host)


def loopback_refusal(headers: Mapping[str, str]) -> str | None:
    """Return why a server that listens on loopback alone refuses a request, or None."""
    host = headers.get("host", "")
    if not is_loopback(_name_in(host)):
        return "Host: expected localhost or a loopback address"
    # Browsers send no `Origin` with some requests, such as the one for an image.
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return "Sec-Fetch-Site: pages of other origins cannot use this server"
    return _origin_refusal(headers, host)


def is_loopback(name: str) -> bool:
    """Return whether a host is this machine and no other can reach it: `localhost`, 127.0.0.0/8 or ::1."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def _origin_refusal(headers: Mapping[str, str], host: str) -> str | None:
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return "Origin: pages of other origins cannot use the controls"
    return None


def _name_in(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_local(host: str) -> bool:
    """Return whether no domain of the internet can be this host."""
    try:
        ip_address(_name_in(host))
    except ValueError:
        return _LOCAL_NAME.fullmatch(host) is not None
    return True
