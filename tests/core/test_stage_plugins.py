"""Tests of stages that other packages install: a policy names them by their entry points."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import Pipeline, Policies, Policy, PolicyError, Stage
from resilience._core.call import stage_plugins


class Paused(Stage):
    """A stage that takes no options."""


def test_a_stage_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy file names a stage, with options; one that is not installed is a clear error."""

    class Point:
        name = "paused"

        @staticmethod
        def load() -> Any:
            return Paused

    monkeypatch.setattr(stage_plugins, "_entry_points", lambda: {"paused": Point})
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
