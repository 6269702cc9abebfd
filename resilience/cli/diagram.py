"""Draws a pipeline as a Mermaid flowchart: the checks before an attempt, and where a call can end.

The input is the plain data that `Pipeline.describe` returns. Each stage draws its own part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._core.stages.flowchart import Flowchart
from .._core.stages.stage_list import STAGES
from ..telemetry.redaction import redact

__all__ = ["flowchart"]

_BRACKETS = {"step": ("[", "]"), "question": ("{", "}"), "end": ("([", "])")}


def flowchart(pipelines: Sequence[Mapping[str, Any]]) -> str:
    """Return one or several described pipelines as the text of one Mermaid flowchart."""
    if len(pipelines) == 1:
        return "\n    ".join(("flowchart TD", *_lines(_drawn(pipelines[0]), "")))
    lines = ["flowchart TD"]
    for number, described in enumerate(pipelines, 1):
        policy, operation = described["policy"], described["operation"]
        title = f"{operation}: policy {policy}" if operation else f"policy {policy}"
        lines.append(f'    subgraph part{number}["{_escape(title)}"]')
        lines += [f"        {line}" for line in _lines(_drawn(described), f"p{number}_")]
        lines.append("    end")
    return "\n".join(lines)


def _drawn(described: Mapping[str, Any]) -> Flowchart:
    chart = Flowchart()
    chart.node("caller", f"{described['operation'] or described['policy']}: a call", "end")
    chart.node("send", "attempt")
    for stage in STAGES:
        stage.diagram(described, chart)
    chart.arrow(chart.last, "send", chart.label)
    chart.arrow("send", chart.node("answer", "the answer", "end"), "success")
    chart.arrow("send", chart.node("failure", "which category?", "question"), "failure")
    chart.arrow("failure", chart.failed, "fatal or user-fixable")
    chart.node("error", "the API's own error", "end")
    return chart


def _lines(chart: Flowchart, prefix: str) -> Iterator[str]:
    """Yield the chart's lines; the prefix of the nodes' names keeps several charts of one picture apart."""
    for name, (shape, text) in chart.nodes.items():
        left, right = _BRACKETS[shape]
        yield f'{prefix}{name}{left}"{_escape(text)}"{right}'
    for arrow in chart.arrows:
        label = f'|"{_escape(arrow.label)}"|' if arrow.label else ""
        yield f"{prefix}{arrow.start} -->{label} {prefix}{arrow.end}"


def _escape(text: str) -> str:
    """Write the characters that would end a label as Mermaid's entities, on one line, with secrets removed."""
    # Mermaid ends a label at a quote and reads `<` as HTML; a line break would end the statement.
    printable = "".join(letter if letter.isprintable() else " " for letter in redact(text))
    return printable.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
