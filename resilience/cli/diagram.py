"""A pipeline as a Mermaid flowchart: what an attempt passes, and where a call can end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..telemetry.redaction import redact
from .sentences import seconds

__all__ = ["flowchart"]

Edge = tuple[str, str, str]
"""From, to, and what the arrow says."""


class _Chart:
    """Nodes in the order in which they are added, and the arrows between them."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix  # of the nodes' names: several charts stand in one picture
        self.nodes: dict[str, str] = {}
        self.edges: list[Edge] = []

    def node(self, name: str, text: str, shape: str = "[]") -> str:
        """Add a node once; `[]` is a step, `{}` a question, `()` an end."""
        left, right = {"[]": ("[", "]"), "{}": ("{", "}"), "()": ("([", "])")}[shape]
        self.nodes.setdefault(name, f'{self._prefix}{name}{left}"{_escaped(text)}"{right}')
        return name

    def edge(self, start: str, end: str, text: str = "") -> None:
        """Add an arrow."""
        self.edges.append((start, end, text))

    def lines(self) -> Iterator[str]:
        """Give the chart's lines."""
        yield from self.nodes.values()
        for start, end, text in self.edges:
            said = f'|"{_escaped(text)}"|' if text else ""
            yield f"{self._prefix}{start} -->{said} {self._prefix}{end}"


def flowchart(found: Sequence[Mapping[str, Any]]) -> str:
    """Return what `Pipeline.describe` tells of one pipeline, or of several, as the text of one Mermaid flowchart."""
    if len(found) == 1:
        return "\n    ".join(("flowchart TD", *_chart(found[0], "")))
    lines = ["flowchart TD"]
    for number, told in enumerate(found, 1):
        title = f"{told['operation']}: policy {told['policy']}" if told["operation"] else f"policy {told['policy']}"
        lines.append(f'    subgraph part{number}["{_escaped(title)}"]')
        lines += [f"        {line}" for line in _chart(told, f"p{number}_")]
        lines.append("    end")
    return "\n".join(lines)


def _chart(told: Mapping[str, Any], prefix: str) -> list[str]:
    chart = _Chart(prefix)
    limit = "" if told["deadline"] is None else f", {seconds(told['deadline'])} in all"
    start = chart.node("caller", f"{told['operation'] or told['policy']}: a call{limit}", "()")
    first = _gates(chart, told, start)
    attempt = "" if told["attempt_timeout"] is None else f", {seconds(told['attempt_timeout'])} at most"
    send = chart.node("send", f"attempt{attempt}")
    chart.edge(first[-1], send, first[0])
    chart.node("answer", "the answer", "()")
    chart.edge(send, "answer", "good")
    _failures(chart, told, send)
    return list(chart.lines())


def _gates(chart: _Chart, told: Mapping[str, Any], before: str) -> tuple[str, str]:
    """Draw what an attempt passes; returns what the next arrow says and where it starts."""
    said = ""
    chart.node("again_here", "before each attempt")
    chart.edge(before, "again_here")
    before = "again_here"
    if (breaker := told["breaker"]) is not None:
        chart.edge(before, chart.node("breaker", f"breaker of {breaker['key']}: closed?", "{}"), said)
        chart.edge("breaker", chart.node("refused", "refused: nothing was sent", "()"), "open")
        before, said = "breaker", "closed"
    for place, one in enumerate(told["quota"], 1):
        name = chart.node(f"quota{place}", f"room among {one['burst']} in {seconds(one['span'])}?", "{}")
        chart.edge(before, name, said)
        chart.edge(name, chart.node("refused", "refused: nothing was sent", "()"), "none before the deadline")
        before, said = name, "now or soon"
    if (slots := told["admission"]) is not None:
        chart.edge(before, chart.node("place", f"one of {slots['max_concurrent']} places free?", "{}"), said)
        chart.edge(
            "place", chart.node("refused", "refused: nothing was sent", "()"), f"{slots['max_queue']} wait already"
        )
        before, said = "place", "yes"
    return said, before


def _failures(chart: _Chart, told: Mapping[str, Any], send: str) -> None:
    """Draw what follows a failed attempt."""
    chart.edge(send, chart.node("failure", "what helps?", "{}"), "failed")
    end = chart.node("error", "the API's own error", "()")
    if (fallback := told["fallback"]) is not None:
        end = chart.node("fallback", f"is it {', '.join(fallback['on'])}, and is there something instead?", "{}")
        chart.edge("fallback", chart.node("instead", "last good answer, function or value", "()"), "yes")
        chart.edge("fallback", "error", "no")
    chart.edge("failure", end, "nothing, or somebody must change something")
    again = chart.node("again", f"attempts{_budget(told)} and time left?", "{}") if told["max_attempts"] != 1 else end
    if told["idempotent"]:
        chart.edge("failure", again, "trying again")
    else:
        rules = told["reconcile"]
        chart.edge("failure", again, "trying again, and nothing happened")
        chart.edge("failure", chart.node("look", "did it happen? looked up", "{}"), "it may have happened")
        chart.edge("look", "answer", "found")
        chart.edge("look", again, f"not there, proven within {seconds(rules['fence'])}")
        chart.edge("look", chart.node("unknown", "told as unknown: executed is maybe", "()"), "cannot be known in time")
    if again == "again":
        chart.edge("again", end, "no")
        waits = [one["longest"] for one in told["waits"]]
        wait = f"after up to {', '.join(seconds(one) for one in waits[:4])}{', …' if len(waits) > 4 else ''}"
        chart.edge("again", "again_here", wait if waits else "yes")


def _budget(told: Mapping[str, Any]) -> str:
    return f" of {told['max_attempts'] or 'as many as the program allows'}" + (", budget" if told["budget"] else "")


def _escaped(text: str) -> str:
    """Write what would end a label as Mermaid's entities, on one line."""
    shown = "".join(one if one.isprintable() else " " for one in redact(text))
    return shown.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
