"""Names of version 0.1: accepted for one more version, with a warning that gives the new name."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from resilience import Policy, PolicyError
from resilience.simulate import Comparison, Incident, Job, Run, Scenario, Service, load_scenario, run_job, simulate

INCIDENT = Incident(start=2, end=4, kind="error", share=0.5)
SMALL = Scenario(clients=2, incidents=(INCIDENT,), lasts=10)
OLD = "is the old spelling of"


@pytest.fixture(scope="module")
def run() -> Run:
    """A run of a policy with retries."""
    return run_job(Job("p", Policy(name="p", deadline="5s", retry={"max_attempts": 3}), SMALL, 1))


def test_troubles_of_a_scenario() -> None:
    """`Scenario(troubles=)` gives an equal scenario, from incidents or from mappings; two values are a mistake."""
    old: Any = Scenario
    with pytest.warns(DeprecationWarning, match=f"^Scenario: troubles {OLD} incidents$") as caught:
        assert old(clients=2, troubles=(INCIDENT,), lasts=10) == SMALL
    assert caught[0].filename == __file__
    mapping = {"troubles": [{"start": "2s", "end": "4s", "kind": "error", "share": "50%"}], "lasts": "10s"}
    with pytest.warns(DeprecationWarning, match=f"troubles {OLD} incidents"):
        assert old(clients=2, **mapping) == SMALL
    with pytest.raises(PolicyError, match=f"troubles: troubles {OLD} incidents, which is set too: remove troubles"):
        old(troubles=(), incidents=(INCIDENT,))


def test_troubles_in_a_file(tmp_path: Path) -> None:
    """The file gives an equal scenario and a warning with the position of the key; mistakes have the new path."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "clients: 2\nlasts: 10s\ntroubles:\n  - {start: 2s, end: 4s, kind: error, share: 50%}\n", encoding="utf-8"
    )
    with pytest.warns(DeprecationWarning, match="warning: troubles") as caught:
        assert load_scenario(path) == SMALL
    assert [str(warning.message) for warning in caught] == [f"{path}:3:1: troubles: warning: troubles {OLD} incidents"]
    assert caught[0].filename == __file__
    path.write_text("troubles: [{start: 5s, end: 3s}]", encoding="utf-8")
    with pytest.raises(PolicyError) as result:
        load_scenario(path)
    (problem,) = result.value.problems
    assert (problem.line, problem.column, problem.path) == (1, 29, "incidents[0].end")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("troubles: []\nincidents: []\n", f"troubles {OLD} incidents, which is set too: remove troubles"),
        ("troubles: []\ntroubles: []\n", "duplicate key"),
    ],
)
def test_a_file_with_two_keys_for_incidents(text: str, message: str, tmp_path: Path) -> None:
    """Both keys, or the old one twice, are a mistake."""
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match=message):
        load_scenario(path)


def test_troubles_of_a_service() -> None:
    """`Service(troubles=)` has the incidents; both keywords together raise TypeError."""
    old: Any = Service
    refusing = (Incident(end=5, kind="refuse"),)
    with pytest.warns(DeprecationWarning, match=f"^Service: troubles {OLD} incidents$") as caught:
        service = old(capacity=10, random=Random(1), troubles=refusing)
    assert caught[0].filename == __file__
    assert service.ask(1.0)[1].status == 503
    with pytest.raises(TypeError, match="which is set too: remove troubles"):
        old(capacity=10, random=Random(1), troubles=refusing, incidents=refusing)


def test_each_of_simulate() -> None:
    """`simulate(each=)` is called every half second, as `on_sample` is."""
    old: Any = simulate
    samples: list[float] = []
    with pytest.warns(DeprecationWarning, match=f"^simulate: each {OLD} on_sample$") as caught:
        outcome = old(Scenario(clients=1, lasts=2), lambda send, _clock, _random: send, each=samples.append)
    assert caught[0].filename == __file__
    assert samples[:3] == [0.0, 0.5, 1.0]
    with pytest.warns(
        DeprecationWarning, match=r"Outcome\.attempts_a_request is deprecated: use \.attempts_per_request"
    ):
        assert outcome.attempts_a_request(0, 2) == outcome.attempts_per_request(0, 2) == 1.0


def test_bare_of_a_comparison(run: Run) -> None:
    """`Comparison(bare=)` sets the baseline, and `.bare` returns it."""
    old: Any = Comparison
    with pytest.warns(DeprecationWarning, match=f"^Comparison: bare {OLD} baseline$") as caught:
        comparison = old(SMALL, 1, (run,), bare=run)
    assert caught[0].filename == __file__
    assert comparison == Comparison(SMALL, 1, (run,), run)
    with pytest.warns(DeprecationWarning, match=r"^Comparison\.bare is deprecated: use \.baseline$") as caught:
        assert comparison.bare is run
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("old", "new"),
    [("troubles", "incidents"), ("troubled", "incident_periods"), ("last_trouble", "last_incident_end")],
)
def test_attributes_of_a_scenario(old: str, new: str) -> None:
    """The old attributes of a scenario return the values of the new ones."""
    with pytest.warns(DeprecationWarning, match=rf"^Scenario\.{old} is deprecated: use \.{new}$") as caught:
        assert getattr(SMALL, old) == getattr(SMALL, new)
    assert caught[0].filename == __file__


def test_attributes_of_figures(run: Run) -> None:
    """The old attributes of figures return the values of the new ones; `trouble` has its old keys."""
    figures: Any = run.figures
    for old, new in (("attempts_a_request", "attempts_per_request"), ("refused", "rejected")):
        with pytest.warns(DeprecationWarning, match=rf"^Figures\.{old} is deprecated: use \.{new}$"):
            assert getattr(figures, old) == getattr(figures, new)
    with pytest.warns(DeprecationWarning, match=r"^Figures\.trouble is deprecated: use \.incident$"):
        trouble = figures.trouble
    assert trouble.pop("attempts_a_request") == figures.incident["attempts_per_request"]
    assert trouble == {name: figures.incident[name] for name in ("success", "good")}
    calm: Any = run_job(Job("p", None, Scenario(clients=1, lasts=5))).figures
    with pytest.warns(DeprecationWarning, match="use .incident"):
        assert calm.trouble is None
