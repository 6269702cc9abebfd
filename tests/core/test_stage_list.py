"""Tests of the list of stages: one order for `describe()`, the diagram, the docs and the layers around a call."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from resilience import Policy, Stage
from resilience._core.stages.breaker_stage import BreakerStage
from resilience._core.stages.built_in_stage import BuiltInStage, StageView
from resilience._core.stages.custom_stage import CustomStages
from resilience._core.stages.fence import Fence
from resilience._core.stages.flowchart import Arrow, Flowchart
from resilience._core.stages.retry import RetryStage
from resilience._core.stages.stage_list import STAGES

PAGE = Path(__file__).parents[2] / "docs/explanation/how-a-call-travels.md"
ORDER = [
    "fallback", "cache", "hedge", "deadline", "retry", "budget", "reconcile", "breaker", "quota", "admission", "stages",
    "attempt_timeout",
]  # fmt: skip
"""The order of the design. The breaker gives its permit once more after the admission."""
KEYS = {"retry": ["max_attempts", "waits"]}
"""What a stage adds to `describe()` under other names than its own."""
IN_DOCS = {"stages": "custom stages", "attempt_timeout": "attempt timeout", "breaker": "breaker rejects early"}


def view(**settings: Any) -> StageView:
    """Return what the stages describe of a policy without running parts."""
    return StageView(Policy(**settings), None, None, (), None, Fence(), 0.0)


def test_the_order_of_the_stages() -> None:
    """The list has the order of the design, and each name once."""
    assert [stage.name for stage in STAGES] == ORDER


def test_describe_has_the_same_order() -> None:
    """Each stage adds the key of its name, also where it is off."""
    keys = [key for stage in STAGES for key in stage.describe(view())]
    assert keys == [key for name in ORDER for key in KEYS.get(name, [name])]


def test_the_docs_have_the_same_order() -> None:
    """The table of the stages on the page about the way of a call."""
    rows = re.findall(r"^\| ([^|]+) \|", PAGE.read_text("utf-8").partition("| stage | runs |")[2], re.MULTILINE)
    table = " | ".join(rows)
    places = [table.index(IN_DOCS.get(name, name)) for name in ORDER]
    assert places == sorted(places)


DESCRIBED: dict[str, Any] = {
    "idempotent": False,
    "fallback": {"on": ["retryable"]},
    "cache": None,
    "deadline": 20.0,
    "max_attempts": 3,
    "waits": [{"least": 0.0, "longest": 1.0}] * 6,
    "budget": {"ratio": 0.2, "floor": 1.0},
    "reconcile": {"fence": 65.0},
    "breaker": {"key": "host"},
    "quota": [{"burst": 10, "span": 1.0}],
    "admission": {"max_concurrent": 5, "max_queue": 2},
    "stages": [],
    "attempt_timeout": 5.0,
}


def drawn(**changes: Any) -> Flowchart:
    """Return what all stages draw."""
    chart = Flowchart()
    chart.node("caller", "a call", "end")
    chart.node("send", "attempt")
    for stage in STAGES:
        stage.diagram({**DESCRIBED, **changes}, chart)
    return chart


def test_the_diagram_has_the_same_order() -> None:
    """The checks follow each other as the stages do; a stage that is off is not drawn."""
    cache = {"max_age": 2.0}
    names = list(drawn(cache=cache, idempotent=None).nodes)
    checks = [
        name for name in names if name in ("fallback", "cached", "again_here", "look", "breaker", "quota1", "slot")
    ]
    assert checks == ["fallback", "cached", "again_here", "look", "breaker", "quota1", "slot"]
    chart = drawn(fallback=None, breaker=None, quota=[], admission=None, deadline=None, attempt_timeout=None)
    assert list(chart.nodes) == ["caller", "send", "again_here", "again", "look", "unknown"]
    assert (chart.nodes["caller"], chart.nodes["send"]) == (("end", "a call"), ("step", "attempt"))


def test_what_the_diagram_says() -> None:
    """Limits stand beside the caller and the attempt; a call that is not retried has no way back."""
    chart = drawn()
    assert chart.nodes["caller"][1] == "a call, 20s in all"
    assert chart.nodes["send"][1] == "attempt, at most 5s"
    assert chart.nodes["again"][1] == "attempts of 3, budget and time left?"
    assert Arrow("again", "again_here", "after up to 1s, 1s, 1s, 1s, …") in chart.arrows
    assert Arrow("failure", "fallback", "retryable, and it was not executed") in drawn(max_attempts=1).arrows
    without = drawn(max_attempts=None, waits=[], budget=None, idempotent=True)
    assert without.nodes["again"][1] == "attempts of as many as the program allows and time left?"
    assert Arrow("again", "again_here", "yes") in without.arrows
    assert Arrow("failure", "again", "retryable") in without.arrows


def test_a_stage_need_not_say_anything() -> None:
    """Each method has a default."""

    class Silent(BuiltInStage):
        name = "silent"

    stage, chart = Silent(), Flowchart()
    stage.diagram({}, chart)
    said = [*stage.sentences({}), *stage.warnings(Policy()), *stage.operation_warnings(Policy(), ()), *chart.arrows]
    assert (said, stage.describe(view()), stage.layer(None)) == ([], {}, None)  # type: ignore[arg-type]


def test_words_for_what_only_python_can_say() -> None:
    """Objects of a program decide on retries and make stages: the sentences say so."""
    assert [*RetryStage().sentences({"max_attempts": None})] == [
        "An object of the program decides how often a call is tried again."
    ]
    assert [*BreakerStage().sentences({"breaker": None})] == []
    described = CustomStages().describe(view(stages=[Stage(), ("pause", {"seconds": 1})]))
    assert described == {"stages": ["Stage", "pause"]}
    assert [*CustomStages().sentences(described)] == ["Custom stages, run around each attempt: Stage, pause."]


def test_a_slow_success_that_no_rate_counts() -> None:
    """`slow_after` alone has no effect, and the breaker says so."""
    policy = Policy(breaker={"slow_after": "1s"})
    assert (("breaker.slow_after",), "slow_after has no effect without slow_rate") in [*BreakerStage().warnings(policy)]
