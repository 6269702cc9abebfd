"""An exclusion list that checks `type(x) is type` excludes every class with a metaclass."""

from __future__ import annotations

import pybreaker
import pytest

from resilience import Pipeline, Policy


class Meta(type):
    """A metaclass, as clients use to register their errors."""


class Own(Exception, metaclass=Meta):
    """An error class that is not an instance of plain `type`."""


def fails() -> None:
    """The service fails with something else."""
    raise ConnectionRefusedError


def test_naive() -> None:
    """Pybreaker calls the class, finds the result truthy, and never counts anything."""
    breaker = pybreaker.CircuitBreaker(fail_max=1, exclude=[Own])
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            breaker(fails)()
    assert breaker.current_state == "closed"


def test_ours() -> None:
    """An error's category decides whether it counts; a metaclass changes nothing."""
    pipeline = Pipeline(Policy(breaker={"consecutive": 2}))

    def own() -> None:
        raise Own

    for fn, error in ((own, Own), (fails, ConnectionRefusedError)):
        with pytest.raises(error):
            pipeline.call(fn)
    assert pipeline.breaker is not None
    assert pipeline.breaker.state == "open"
