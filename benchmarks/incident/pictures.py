"""Draws the incident for the docs: what the bot did over time, and the messages that a person got."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import Any

from .scenario import OUTCOMES, Sample

__all__ = ["messages_picture", "timeline_picture"]

_LIGHT = (
    "--ink:#1f2933;--soft:#52606d;--line:#9aa5b1;--card:#f5f7fa;"
    "--blue:#1d4ed8;--green:#15803d;--amber:#a15c07;--red:#b91c1c"
)
_DARK = (
    "--ink:#e4e7eb;--soft:#b3bcc8;--line:#7b8794;--card:#262b36;"
    "--blue:#8ab4f8;--green:#7bd88f;--amber:#f2c14e;--red:#ff8f85"
)
_STYLE = f"""<style>
.pic{{{_LIGHT};display:block;width:100%;height:auto;margin:1em auto;font:13px system-ui,"Segoe UI",Roboto,sans-serif}}
@media(prefers-color-scheme:dark){{.pic{{{_DARK}}}}}
[data-md-color-scheme=default] .pic{{{_LIGHT}}}
[data-md-color-scheme=slate] .pic{{{_DARK}}}
.pic text{{fill:var(--ink)}}.pic .soft{{fill:var(--soft)}}.pic .head{{font-weight:600}}
.pic .mid{{text-anchor:middle}}.pic .end{{text-anchor:end}}.pic .count{{fill:var(--card)}}
.pic .box{{fill:var(--card);stroke:var(--line);stroke-width:1}}.pic .way{{fill:none;stroke:var(--line);stroke-width:1}}
.pic .blue{{fill:var(--blue)}}.pic .green{{fill:var(--green)}}
.pic .amber{{fill:var(--amber)}}.pic .red{{fill:var(--red)}}
.pic .area{{opacity:.75}}.pic .band{{opacity:.14}}
</style>"""
_COLORS = {"ok": "green", "failed": "red", "rejected": "amber", "unknown": "blue"}
_WIDTH, _LEFT, _RIGHT = 720, 104, 12
_MAX_LINE = 86  # characters of a line of a message
_STEP = 0.5  # seconds over which calls are counted


def timeline_picture(samples: Sequence[Sample], alerts: Iterable[float]) -> str:
    """Return an SVG: calls by outcome, the breaker, the hold, the writes in doubt, and when messages came.

    Args:
        samples: the samples of the incident.
        alerts: seconds since the beginning at which a message came.
    """
    total = samples[-1].at

    def x(at: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(1.0, at / total)

    rates = list(_rates(samples))
    top = max(sum(counts.values()) for _, counts in rates)
    parts = [
        *_phases(samples, x),
        _label("calls", 40), _label("per second", 56, soft=True), *_areas(rates, top, x),
        *_strip("breaker", 168, samples, x, {"open": "red", "half-open": "amber"}, lambda sample: sample.breaker),
        *_strip("hold", 194, samples, x, {"True": "amber"}, lambda sample: str(sample.held)),
        *_doubts(samples, x),
        _label("alerts", 262),
        *(f'<circle class="blue" cx="{x(at):.1f}" cy="258" r="5"/>' for at in alerts),
        *_legend(288), _axis(total, x),
    ]  # fmt: skip
    title = (
        "A bot in an outage, a ban, with an order of unknown outcome and with a wrong key: "
        "calls per second by outcome, the breaker, the hold, writes in doubt and alerts over time."
    )
    return _svg("incident", title, 330, parts)


def messages_picture(messages: Iterable[tuple[float, str]]) -> str:
    """Return an SVG of messages as a chat shows them.

    Args:
        messages: seconds since the beginning, and the text.
    """
    parts, y = [], 8
    for at, text in messages:
        lines = [piece for line in _readable(text).splitlines() for piece in _wrapped(line)]
        height = 18 * len(lines) + 14
        parts += [
            f'<text class="soft end" x="46" y="{y + 21}">{at:.0f} s</text>',
            f'<rect class="box" x="56" y="{y}" width="{_WIDTH - 60}" height="{height}" rx="8"/>',
        ]
        for number, (kind, indent, line) in enumerate(lines):
            kind = "head" if number == 0 else kind
            parts.append(f'<text class="{kind}" x="{70 + indent}" y="{y + 22 + 18 * number}">{escape(line)}</text>')
        y += height + 8
    title = "Messages that a bot sent to a chat during an incident, each with what happened and what to do."
    return _svg("alerts", title, y + 4, parts)


def _readable(text: str) -> str:
    # The address of the stand-in has another port each time.
    return re.sub(r"127\.0\.0\.1:\d+", "api.example.com", text)


def _wrapped(line: str) -> list[tuple[str, int, str]]:
    """Return the lines of one line: the class of each, its indentation and its text."""
    is_remedy = line.startswith("  ")
    pieces = textwrap.wrap(line.strip(), _MAX_LINE)
    return [("soft" if is_remedy else "", 14 if is_remedy or number else 0, text) for number, text in enumerate(pieces)]


def _rates(samples: Sequence[Sample]) -> Iterable[tuple[float, dict[str, float]]]:
    """Yield the calls per second by outcome of each step."""
    before = samples[0]
    for sample in samples:
        seconds = sample.at - before.at
        if seconds >= _STEP:
            yield (
                (before.at + sample.at) / 2,
                {name: (sample.calls[name] - before.calls[name]) / seconds for name in OUTCOMES},
            )
            before = sample


def _areas(rates: list[tuple[float, dict[str, float]]], top: float, x: Callable[[float], float]) -> Iterable[str]:
    """Draw the outcomes on top of each other, between 34 and 150."""

    def y(rate: float) -> float:
        return 150 - 116 * rate / top

    below = [0.0] * len(rates)
    for name in OUTCOMES:
        above = [base + counts[name] for base, (_, counts) in zip(below, rates, strict=True)]
        there = [f"{x(at):.1f} {y(rate):.1f}" for (at, _), rate in zip(rates, above, strict=True)]
        back = [f"{x(at):.1f} {y(rate):.1f}" for (at, _), rate in zip(rates, below, strict=True)]
        yield f'<path class="{_COLORS[name]} area" d="M{"L".join([*there, *reversed(back)])}z"/>'
        below = above
    yield f'<path class="way" d="M{_LEFT} 150H{_WIDTH - _RIGHT}"/>'
    yield f'<text class="soft end" x="{_LEFT - 8}" y="154">0</text>'
    yield f'<text class="soft end" x="{_LEFT - 8}" y="{y(top) + 12:.0f}">{top:.0f}</text>'


def _phases(samples: Sequence[Sample], x: Callable[[float], float]) -> Iterable[str]:
    """Shade what is not calm, and name it."""
    for phase, begin, end in _spans(samples, lambda sample: sample.phase):
        if phase != "calm":
            width = x(end) - x(begin)
            yield f'<rect class="red band" x="{x(begin):.1f}" y="22" width="{width:.1f}" height="250"/>'
            yield f'<text class="head mid" x="{(x(begin) + x(end)) / 2:.1f}" y="16">{escape(phase)}</text>'


def _strip(
    name: str,
    y: int,
    samples: Sequence[Sample],
    x: Callable[[float], float],
    colors: dict[str, str],
    state: Callable[[Sample], str],
) -> Iterable[str]:
    """Draw a state over time as one bar."""
    yield _label(name, y + 13)
    for value, begin, end in _spans(samples, state):
        color = colors.get(value)
        kind = f"{color} area" if color else "box"
        yield f'<rect class="{kind}" x="{x(begin):.1f}" y="{y}" width="{x(end) - x(begin):.1f}" height="16"/>'


def _doubts(samples: Sequence[Sample], x: Callable[[float], float]) -> Iterable[str]:
    yield _label("in doubt", 233)
    for value, begin, end in _spans(samples, lambda sample: str(sample.in_doubt)):
        kind = "blue area" if int(value) else "box"
        yield f'<rect class="{kind}" x="{x(begin):.1f}" y="220" width="{x(end) - x(begin):.1f}" height="18"/>'
        if int(value):
            yield f'<text class="head count" x="{x(begin) + 6:.1f}" y="234">{value}</text>'


def _spans(samples: Sequence[Sample], value: Callable[[Sample], str]) -> Iterable[tuple[str, float, float]]:
    """Yield each value with the time from its first sample to the first one of the next."""
    begin, current = samples[0].at, value(samples[0])
    for sample in samples:
        if value(sample) != current:
            yield current, begin, sample.at
            begin, current = sample.at, value(sample)
    yield current, begin, samples[-1].at


def _legend(y: int) -> Iterable[str]:
    for number, name in enumerate(OUTCOMES):
        left = _LEFT + number * 100
        yield f'<rect class="{_COLORS[name]} area" x="{left}" y="{y + 24}" width="12" height="12"/>'
        yield f'<text x="{left + 18}" y="{y + 34}">{name}</text>'


def _axis(total: float, x: Callable[[float], float]) -> str:
    marks = (f'<text class="soft mid" x="{x(at):.1f}" y="290">{at} s</text>' for at in range(0, int(total) + 1, 5))
    return "".join(marks)


def _label(text: str, y: int, *, soft: bool = False) -> str:
    return f'<text{" class=" + chr(34) + "soft" + chr(34) if soft else ""} x="4" y="{y}">{escape(text)}</text>'


def _svg(name: str, title: str, height: float, parts: Iterable[Any]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="pic" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'style="max-width:{_WIDTH + 40}px" role="img" aria-labelledby="{name}-title">'
    )
    return "\n".join([head, f'<title id="{name}-title">{escape(title)}</title>', _STYLE, *parts, "</svg>", ""])
