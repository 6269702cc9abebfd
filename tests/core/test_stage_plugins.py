"""Tests of stages that other packages install: a policy names them by their entry points."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Pipeline, Policies, Policy, PolicyError, Stage
from resilience._core.call import stage_plugins


class Paused(Stage):
    """A stage that takes no options."""


def test_a_stage_is_found_by_its_entry_point(install: Any) -> None:
    """A policy file names a stage, with options; one that is not installed is a clear error."""
    install("resilience.stages", "paused", f"{__name__}:Paused")
    mapping = {"version": 1, "policies": {"p": {"stages": ["paused"]}}}
    pipeline = Policies.from_mapping(mapping).pipeline("p")
    assert pipeline.call(len, "abc") == 3
    assert isinstance(pipeline.stages[0], Paused)
    with pytest.raises(PolicyError, match=r"p\.stages\[0\]: no stage 'nowhere' is installed; available: paused"):
        Policies.from_mapping({"version": 1, "policies": {"p": {"stages": ["nowhere"]}}})
    with pytest.raises(PolicyError, match="policy 'default': no stage 'nowhere' is installed"):
        Pipeline(Policy(stages=("nowhere",)))
    with pytest.raises(PolicyError, match="cannot be made"):
        Policies.from_mapping({"version": 1, "policies": {"p": {"stages": [{"paused": {"odd": 1}}]}}}).pipeline("p")


def test_an_entry_point_that_is_no_stage_is_a_mistake(install: Any) -> None:
    """An entry point must make a `Stage`; the message names the package."""
    install("resilience.stages", "odd", "builtins:dict")
    message = (
        "policy 'p': stage 'odd' is a dict, not a Stage: the entry point 'odd' = 'builtins:dict' in resilience.stages"
    )
    with pytest.raises(PolicyError, match=f"^{message} of the package shop-plugins 1.2$"):
        stage_plugins.stages_of(Policy(name="p", stages=("odd",)))


def test_a_stage_that_cannot_be_imported(install: Any) -> None:
    """The mistake names the package and the entry point; policies without that stage work."""
    install("resilience.stages", "gone", "shop_that_is_gone:Stage")
    with pytest.raises(
        PolicyError, match=r"'gone' .* of the package shop-plugins 1\.2 cannot be loaded: ModuleNotFound"
    ):
        Pipeline(Policy(stages=("gone",)))
    assert Pipeline(Policy()).call(len, "abc") == 3


@pytest.mark.parametrize(("wrong", "kind"), [(Paused, "the class Paused"), ("paused", "a str")])
def test_what_is_no_stage_is_refused(wrong: Any, kind: str) -> None:
    """A class or a name instead of an object is an error at once, and not at the first call."""
    with pytest.raises(TypeError, match=f"^stages takes objects derived from Stage, not {kind}$"):
        Pipeline(Policy(), stages=[wrong])
