"""Scenario files: the shipped ones are valid, and every mistake is reported at its place."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from resilience import PolicyError
from resilience.simulate import Errors, Incident, Limit, Scenario, Surge
from resilience.simulate.scenario_files import load_scenario, scenario_path, shipped_scenarios


@pytest.mark.parametrize("name", shipped_scenarios())
def test_shipped(name: str) -> None:
    """Each has a title and a description, and ends after its incidents, so that the recovery can be seen."""
    scenario = load_scenario(scenario_path(name))
    assert scenario.title != "Untitled"
    assert scenario.about
    assert all(one.end < scenario.lasts for one in scenario.incidents)
    assert scenario.requests <= 200_000


def test_the_kinds_that_are_shipped() -> None:
    """There is a scenario for each common failure."""
    expected = {"outage", "brownout", "latency-ramp", "rate-limit-squeeze", "flapping", "error-mix"}
    assert expected | {"recovery-queueing", "recovery-shedding"} <= set(shipped_scenarios())


MISTAKES = {
    "clints: 5": (1, 1, "clints", "did you mean clients?"),
    "rate: -3/s": (1, 7, "rate", "expected a rate"),
    "clients: 0": (1, 10, "clients", "0 is out of range (1 to 10000)"),
    "overload: sheds": (1, 11, "overload", "is not one of shed, queue"),
    "version: 2": (1, 10, "version", "unknown version '2' (known: 1)"),
    "errors: {registry: bitgte, codes: {'1': 5%}}": (1, 20, "errors.registry", "did you mean 'bitget'?"),
    "errors: {registry: no.yaml, codes: {'1': 5%}}": (1, 20, "errors.registry", "no code table at 'no.yaml'"),
    "errors: {registry: bitget, codes: {'4072': 5%}}": (1, 35, "errors.codes", "no code '4072'"),
    "errors: {registry: bitget, codes: {'00000': 5%}}": (1, 35, "errors.codes", "means success"),
    "errors: {registry: bitget}": (1, 9, "errors.codes", "expected codes and their shares"),
    "errors: {codes: {'429': 60%, '503': 60%}}": (1, 17, "errors.codes", "the shares add up to 120.0% (at most 100%)"),
    "incidents: [{start: 5s, end: 3s}]": (1, 30, "incidents[0].end", "3s is not later than start, 5s"),
    "incidents: [{end: 3s, kind: hangs}]": (1, 29, "incidents[0].kind", "not one of hang, error"),
    "incidents: [{end: 3s, kind: slow}]": (1, 29, "incidents[0].kind", "slow needs latency"),
    "incidents: [{end: 3s, kind: squeeze}]": (1, 29, "incidents[0].kind", "needs limit or capacity"),
    "incidents: [{end: 3s, latency: 2s}]": (
        1,
        32,
        "incidents[0].latency",
        "is allowed with kind: slow, not with kind: hang",
    ),
    "incidents: [{end: 9s, every: 3s}]": (1, 30, "incidents[0].every", "every and lasting are needed together"),
    "incidents: [{end: 9s, every: 3s, lasting: 4s}]": (1, 43, "incidents[0].lasting", "the incident would never stop"),
    "incidents: [{end: 3s, kind: squeeze, limit: 2/s}]": (1, 12, "incidents", "the scenario has no limit"),
    "surges: [{start: 2s, end: 1s}]": (1, 27, "surges[0].end", "1s is not later than start, 2s"),
    "lasts: 5s\nincidents: [{start: 6s, end: 8s}]": (
        1,
        8,
        "lasts",
        "the run ends at 5s, before incidents[0] begins at 6s",
    ),
    "clients: 10000\nrate: 10000/s": (1, 10, "clients", "6,000,000,000 requests are too many (at most 3,000,000: "),
    "title: [a]": (1, 8, "title", "expected a string"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_reported_at_its_position(text: str, tmp_path: Path) -> None:
    """File, line, column, path, and what would be right."""
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError) as result:
        load_scenario(path)
    line, column, where, words = MISTAKES[text]
    (problem,) = result.value.problems
    assert (problem.line, problem.column, problem.path) == (line, column, where)
    assert words in problem.message


@pytest.mark.parametrize(
    ("text", "words"), [("", "the file is empty"), ("- 1", "expected a mapping"), ("a: [", "not YAML")]
)
def test_no_scenario_at_all(text: str, words: str, tmp_path: Path) -> None:
    """An empty file says what is expected."""
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PolicyError, match=words):
        load_scenario(path)


def test_names_and_paths() -> None:
    """A misspelt name gets a hint; text that looks like a path is one."""
    with pytest.raises(PolicyError, match="did you mean brownout"):
        scenario_path("brownuot")
    assert scenario_path("./mine") == Path("mine")
    assert scenario_path("mine.yml") == Path("mine.yml")


def test_times_of_incidents() -> None:
    """Incidents repeat as they say, overlapping ones are joined, and the last is cut at the end of the run."""
    flapping = Incident(start=10, end=30, every=10, lasting=4)
    assert flapping.periods() == [(10, 14), (20, 24)]
    assert [at for at in (9.9, 10, 13.9, 14, 20, 24, 30) if flapping.is_active(at)] == [10, 13.9, 20]
    scenario = Scenario(incidents=(flapping, Incident(start=13, end=15)), lasts=22)
    assert scenario.incident_periods == [(10, 15), (20, 22)]
    assert scenario.last_incident_end is None
    assert Scenario(surges=(Surge(start=5, end=7, factor=2),)).last_incident_end == 7
    assert Scenario().last_incident_end is None


@pytest.mark.parametrize("kind", [Scenario, Incident, Limit, Surge, Errors])
def test_every_key_is_in_the_reference(kind: type) -> None:
    """The reference page has every key that a file may have."""
    page = (Path(__file__).parents[2] / "docs/reference/scenario-file.md").read_text(encoding="utf-8")
    assert [field.name for field in fields(kind) if not re.search(rf"\b{field.name}\b", page)] == []
