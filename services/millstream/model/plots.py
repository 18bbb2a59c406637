"""Static SVG for the model card: no script, nothing fetched, colours that follow the reader's
light or dark page. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from millstream.model.manifest import Interval

_LABEL, _PLOT, _SAID, _ROW, _TOP = 330, 300, 170, 24, 26


class Span(NamedTuple):
    """A point with its interval, and the least that it may be, if there is such a bound; all in the
    same unit."""

    label: str
    value: float
    low: float
    high: float
    least: float | None
    kind: str
    """A class of the page's style: good, bad or plain."""


class Bar(NamedTuple):
    label: str
    value: float
    kind: str = "plain"
    interval: Interval | None = None


def intervals(rows: Sequence[Span], unit: str) -> str:
    """One line each: a dot, its interval, and a tick where it would be too low; zero is drawn."""
    edges = [edge for row in rows for edge in (row.low, row.high, row.least or 0.0, 0.0)]
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
            "" if row.least is None else _tick(x(row.least), y),
            f'<circle class="{row.kind}" cx="{x(row.value)}" cy="{y}" r="4"/>',
            _text(_LABEL + _PLOT + 12, y + 4, f"{row.value:+.4f}", "start"),
        ]
    return _svg(drawn, len(rows), unit)


def _tick(x: float, y: int) -> str:
    return f'<line class="least" x1="{x}" x2="{x}" y1="{y - 7}" y2="{y + 7}"/>'


def bars(rows: Sequence[Bar], unit: str, digits: int = 4) -> str:
    """From zero; no value may be negative."""
    ends = [max(row.value, row.interval.high if row.interval else 0.0) for row in rows]
    scale = _PLOT / (max(ends, default=0.0) or 1.0)
    drawn = []
    for place, row in enumerate(rows):
        y = _TOP + place * _ROW
        drawn += [
            _text(_LABEL - 10, y + _ROW // 2 + 4, row.label, "end"),
            f'<rect class="{row.kind}" x="{_LABEL}" y="{y + 5}" height="{_ROW - 10}" '
            f'width="{round(row.value * scale, 1)}"/>',
            _whisker(row.interval, scale, y + _ROW // 2),
            _text(_LABEL + _PLOT + 12, y + _ROW // 2 + 4, _told(row, digits), "start"),
        ]
    return _svg(drawn, len(rows), unit)


def _whisker(found: Interval | None, scale: float, y: int) -> str:
    if found is None:
        return ""
    low, high = (round(_LABEL + end * scale, 1) for end in (found.low, found.high))
    ends = "".join(f"M{end} {y - 4}V{y + 4}" for end in (low, high))
    return f'<path class="whisker" d="M{low} {y}H{high}{ends}"/>'


def _told(row: Bar, digits: int) -> str:
    told = f"{row.value:.{digits}f}"
    if row.interval is None:
        return told
    return f"{told} ({row.interval.low:.{digits}f} to {row.interval.high:.{digits}f})"


def _svg(drawn: Sequence[str], rows: int, unit: str) -> str:
    height, width = _TOP + rows * _ROW + 6, _LABEL + _PLOT + _SAID
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
