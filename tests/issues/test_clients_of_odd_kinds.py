"""Clients that invent their attributes, hold partials, or are copied."""

from __future__ import annotations

import copy
import pickle
from functools import partial
from typing import Any

import pytest

from resilience import Policies
from resilience.testing import FakeClock

POLICY = {"policies": {"p": {"retry": {"max_attempts": 3, "backoff": {"initial": 0}}}}}


class Dynamic:
    """Has an attribute of every name, as XML-RPC proxies do."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args: (name, *args)


class Bound:
    """Offers a method as a partial of another."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.price = partial(self._get, "price")

    def _get(self, name: str) -> None:
        self.sent.append(name)
        raise ConnectionRefusedError


def wrapped(client: Any) -> Any:
    """Return a client wrapped under a policy of three attempts."""
    return Policies.from_mapping(POLICY, clock=FakeClock()).wrap(client, "p")


def test_a_client_that_invents_its_attributes() -> None:
    """Invented attributes are not taken for the hooks of a client of this library."""
    assert wrapped(Dynamic()).anything(1) == ("anything", 1)


def test_a_partial_is_a_method() -> None:
    """A partial on a client runs under the policy as methods do."""
    client = Bound()
    with pytest.raises(ConnectionRefusedError):
        wrapped(client).price()
    assert client.sent == ["price"] * 3


def test_copies() -> None:
    """A copy wraps a copy of the client; pickling raises an error with the reason."""
    client = Bound()
    proxy = wrapped(client)
    twin = copy.copy(proxy)
    twin.sent = ["other"]
    assert client.sent == []
    with pytest.raises(ConnectionRefusedError):
        twin.price()
    with pytest.raises(TypeError, match="pickle the client itself"):
        pickle.dumps(proxy)
