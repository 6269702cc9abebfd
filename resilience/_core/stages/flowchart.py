"""Collects the nodes and arrows of a flowchart that the stages draw together, from the outermost to the innermost."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Arrow", "Flowchart"]


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow between two nodes, by their names."""

    start: str
    end: str
    label: str = ""


@dataclass(slots=True)
class Flowchart:
    """The nodes of one chart, in the order in which they are added, and the arrows between them.

    Attributes:
        nodes: shape and text of each node, by name. Shapes: step, question, end.
        arrows: the arrows.
        last: the node that the next step of a call follows.
        label: the label of the arrow to that step.
        failed: where a call goes that has failed for good.
        again: where a failure goes that may be tried again.
    """

    nodes: dict[str, tuple[str, str]] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)
    last: str = "caller"
    label: str = ""
    failed: str = "error"
    again: str = ""

    def node(self, name: str, text: str, shape: str = "step") -> str:
        """Add a node, unless it is there, and return its name."""
        self.nodes.setdefault(name, (shape, text))
        return name

    def extend(self, name: str, text: str) -> None:
        """Add to the text of a node."""
        shape, before = self.nodes[name]
        self.nodes[name] = shape, before + text

    def arrow(self, start: str, end: str, label: str = "") -> None:
        """Add an arrow."""
        self.arrows.append(Arrow(start, end, label))

    def step(self, name: str, text: str, shape: str = "step", *, then: str = "") -> None:
        """Add the next node on the way of a call; `then` is the label of the arrow that will leave it."""
        self.arrow(self.last, self.node(name, text, shape), self.label)
        self.last, self.label = name, then

    def check(self, name: str, text: str, *, passed: str, rejected: str) -> None:
        """Add a check on the way of a call, with the labels of its two exits."""
        self.step(name, text, "question", then=passed)
        self.arrow(name, self.node("rejected", "rejected: nothing was sent", "end"), rejected)
