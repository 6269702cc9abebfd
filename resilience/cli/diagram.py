"""Draws a pipeline as a Mermaid flowchart: the checks before an attempt, and where a call can end.

The input is the plain data that `Pipeline.describe` returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..telemetry.redaction import redact
from .sentences import format_duration

__all__ = ["flowchart"]

_Arrow = tuple[str, str, str]  # from, to, label
_BRACKETS = {"step": ("[", "]"), "question": ("{", "}"), "end": ("([", "])")}
_MAX_WAITS = 4  # that are listed on the arrow of the retries


class _Chart:
    """The nodes of one chart, in the order in which they are added, and the arrows between them."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix  # of the nodes' names: a picture may hold several charts
        self.nodes: dict[str, str] = {}
        self.arrows: list[_Arrow] = []

    def node(self, name: str, text: str, shape: str = "step") -> str:
        """Add a node, unless it is there, and return its name. Shapes: step, question, end."""
        left, right = _BRACKETS[shape]
        self.nodes.setdefault(name, f'{self._prefix}{name}{left}"{_escape(text)}"{right}')
        return name

    def arrow(self, start: str, end: str, label: str = "") -> None:
        """Add an arrow."""
        self.arrows.append((start, end, label))

    def lines(self) -> Iterator[str]:
        """Yield the chart's lines."""
        yield from self.nodes.values()
        for start, end, text in self.arrows:
            label = f'|"{_escape(text)}"|' if text else ""
            yield f"{self._prefix}{start} -->{label} {self._prefix}{end}"


def flowchart(pipelines: Sequence[Mapping[str, Any]]) -> str:
    """Return one or several described pipelines as the text of one Mermaid flowchart."""
    if len(pipelines) == 1:
        return "\n    ".join(("flowchart TD", *_chart(pipelines[0], "")))
    lines = ["flowchart TD"]
    for number, described in enumerate(pipelines, 1):
        policy, operation = described["policy"], described["operation"]
        title = f"{operation}: policy {policy}" if operation else f"policy {policy}"
        lines.append(f'    subgraph part{number}["{_escape(title)}"]')
        lines += [f"        {line}" for line in _chart(described, f"p{number}_")]
        lines.append("    end")
    return "\n".join(lines)


def _chart(described: Mapping[str, Any], prefix: str) -> list[str]:
    chart = _Chart(prefix)
    deadline, limit = described["deadline"], described["attempt_timeout"]
    in_all = "" if deadline is None else f", {format_duration(deadline)} in all"
    start = chart.node("caller", f"{described['operation'] or described['policy']}: a call{in_all}", "end")
    label, last = _add_checks(chart, described, start)
    at_most = "" if limit is None else f", at most {format_duration(limit)}"
    send = chart.node("send", f"attempt{at_most}")
    chart.arrow(last, send, label)
    chart.node("answer", "the answer", "end")
    chart.arrow(send, "answer", "success")
    _add_failures(chart, described, send)
    return list(chart.lines())


def _add_checks(chart: _Chart, described: Mapping[str, Any], before: str) -> tuple[str, str]:
    """Draw the checks before an attempt; return the label of the next arrow and the node where it starts."""
    chart.arrow(before, chart.node("again_here", "before each attempt"))
    label, before = "", "again_here"
    if (breaker := described["breaker"]) is not None:
        chart.arrow(before, chart.node("breaker", f"breaker of {breaker['key']}: closed?", "question"), label)
        chart.arrow("breaker", _rejected(chart), "open")
        label, before = "closed", "breaker"
    for number, quota in enumerate(described["quota"], 1):
        text = f"fewer than {quota['burst']} attempts in {format_duration(quota['span'])}?"
        name = chart.node(f"quota{number}", text, "question")
        chart.arrow(before, name, label)
        chart.arrow(name, _rejected(chart), "not before the deadline")
        label, before = "yes, or after a wait", name
    if (admission := described["admission"]) is not None:
        text = f"one of {admission['max_concurrent']} slots free?"
        chart.arrow(before, chart.node("slot", text, "question"), label)
        chart.arrow("slot", _rejected(chart), f"{admission['max_queue']} wait already")
        label, before = "yes, or after a wait", "slot"
    return label, before


def _rejected(chart: _Chart) -> str:
    return chart.node("rejected", "rejected: nothing was sent", "end")


def _add_failures(chart: _Chart, described: Mapping[str, Any], send: str) -> None:
    """Draw what follows a failed attempt."""
    chart.arrow(send, chart.node("failure", "which category?", "question"), "failure")
    end = chart.node("error", "the API's own error", "end")
    if (fallback := described["fallback"]) is not None:
        text = f"is it {', '.join(fallback['on'])}, and is there a fallback?"
        end = chart.node("fallback", text, "question")
        chart.arrow("fallback", chart.node("instead", "last good answer, function or value", "end"), "yes")
        chart.arrow("fallback", "error", "no")
    chart.arrow("failure", end, "fatal or user-fixable")
    retries = described["max_attempts"] != 1
    again = chart.node("again", f"attempts{_attempt_limits(described)} and time left?", "question") if retries else end
    # A call that may be sent twice needs no lookup.
    if described["idempotent"]:
        chart.arrow("failure", again, "retryable")
    else:
        fence = format_duration(described["reconcile"]["fence"])
        chart.arrow("failure", again, "retryable, and it was not executed")
        chart.arrow("failure", chart.node("look", "look it up: was it executed?", "question"), "may have been executed")
        chart.arrow("look", "answer", "found")
        chart.arrow("look", again, f"proven not executed, within {fence}")
        chart.arrow("look", chart.node("unknown", "reported as unknown: executed is maybe", "end"), "no proof in time")
    if retries:
        chart.arrow("again", end, "no")
        chart.arrow("again", "again_here", _retry_label(described))


def _retry_label(described: Mapping[str, Any]) -> str:
    waits = [format_duration(wait["longest"]) for wait in described["waits"]]
    more = ", …" if len(waits) > _MAX_WAITS else ""
    return f"after up to {', '.join(waits[:_MAX_WAITS])}{more}" if waits else "yes"


def _attempt_limits(described: Mapping[str, Any]) -> str:
    limit = f" of {described['max_attempts'] or 'as many as the program allows'}"
    return limit + (", budget" if described["budget"] else "")


def _escape(text: str) -> str:
    """Write the characters that would end a label as Mermaid's entities, on one line, with secrets removed."""
    # Mermaid ends a label at a quote and reads `<` as HTML; a line break would end the statement.
    printable = "".join(letter if letter.isprintable() else " " for letter in redact(text))
    return printable.replace("&", "#amp;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
