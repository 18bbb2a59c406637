"""Static SVG for the model card: no script, nothing fetched, colours that follow the reader's
light or dark page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_LABEL, _PLOT, _ROW, _TOP = 330, 300, 24, 26


class Span(NamedTuple):
    """A point with its interval, and the least that it may be; all in the same unit."""

    label: str
    value: float
    low: float
    high: float
    least: float
    kind: str
    """A class of the page's style: good, bad or plain."""


class Bar(NamedTuple):
    label: str
    value: float
    kind: str = "plain"


def intervals(rows: Sequence[Span], unit: str) -> str:
    """One line each: a dot, its interval, and a tick where it would be too low; zero is drawn."""
    edges = [edge for row in rows for edge in (row.low, row.high, row.least, 0.0)]
    low, high = min(edges), max(edges)
    scale = _PLOT / ((high - low) or 1.0)

    def x(value: float) -> float:
        return round(_LABEL + (value - low) * scale, 1)

    drawn = [_vertical(x(0.0), len(rows), "zero")]
    for place, row in enumerate(rows):
        y = _TOP + place * _ROW + _ROW // 2
        drawn += [
            _text(_LABEL - 10, y + 4, row.label, "end"),
            f'<line class="{row.kind}" x1="{x(row.low)}" x2="{x(row.high)}" y1="{y}" y2="{y}"/>',
            f'<line class="least" x1="{x(row.least)}" x2="{x(row.least)}" '
            f'y1="{y - 7}" y2="{y + 7}"/>',
            f'<circle class="{row.kind}" cx="{x(row.value)}" cy="{y}" r="4"/>',
            _text(_LABEL + _PLOT + 12, y + 4, f"{row.value:+.4f}", "start"),
        ]
    return _svg(drawn, len(rows), unit)


def bars(rows: Sequence[Bar], unit: str, digits: int = 4) -> str:
    """From zero; no value may be negative."""
    scale = _PLOT / (max((row.value for row in rows), default=0.0) or 1.0)
    drawn = []
    for place, row in enumerate(rows):
        y = _TOP + place * _ROW
        drawn += [
            _text(_LABEL - 10, y + _ROW // 2 + 4, row.label, "end"),
            f'<rect class="{row.kind}" x="{_LABEL}" y="{y + 5}" height="{_ROW - 10}" '
            f'width="{round(row.value * scale, 1)}"/>',
            _text(_LABEL + _PLOT + 12, y + _ROW // 2 + 4, f"{row.value:.{digits}f}", "start"),
        ]
    return _svg(drawn, len(rows), unit)


def _svg(drawn: Sequence[str], rows: int, unit: str) -> str:
    height, width = _TOP + rows * _ROW + 6, _LABEL + _PLOT + 90
    title = _text(_LABEL, 16, unit, "start")
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(unit)}">'
        f"{title}{''.join(drawn)}</svg>"
    )


def _vertical(x: float, rows: int, kind: str) -> str:
    bottom = _TOP + rows * _ROW
    return f'<line class="{kind}" x1="{x}" x2="{x}" y1="{_TOP}" y2="{bottom}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
