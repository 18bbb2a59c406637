"""What the cards of all kinds of models have in common: the page, the verdict, what was measured
beside the version in service. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Protocol

from millstream.domain.events import Timestamp
from millstream.model.judgement import BESIDE, Check, Judgement, Outcome
from millstream.model.manifest import Interval, Occasion, Quality
from millstream.model.plots import Bar, Span, bars, intervals

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#5b6675;--line:#d5dbe3;--page:#fff;
--good:#16794c;--bad:#b3261e;--plain:#2c5fa8}
@media (prefers-color-scheme:dark){:root{--ink:#e7ebf0;--soft:#9aa6b5;--line:#3a4350;
--page:#14181d;--good:#55c08a;--bad:#ff8a80;--plain:#7fb0f5}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:2rem auto;
max-width:52rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{margin:.4rem 0}
.verdict{border-left:4px solid var(--plain);padding:.2rem .8rem;margin:1rem 0}
.verdict.good{border-color:var(--good)}.verdict.bad{border-color:var(--bad)}
.note{color:var(--soft)}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
th,td.n,td.i{white-space:nowrap;font-variant-numeric:tabular-nums}td.n,th.n{text-align:right}
td:not([class]){overflow-wrap:anywhere;min-width:8rem}.wide{overflow-x:auto}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}
svg line{stroke:var(--plain);stroke-width:2}svg rect,svg circle{fill:var(--plain)}
svg line.zero{stroke:var(--line);stroke-width:1}svg line.least{stroke:var(--soft)}
svg .good{stroke:var(--good);fill:var(--good)}svg .bad{stroke:var(--bad);fill:var(--bad)}
svg rect.good,svg rect.bad,svg rect.plain{stroke:none;fill-opacity:.6}
svg path.whisker{stroke:var(--ink);stroke-width:1.5;fill:none}
"""

_NUMBER = re.compile(r"[+-]?[\d.,]+ ?%?")
_RANGE = re.compile(r"\d to [+-]?\d")
_KIND = {
    Outcome.BETTER: "good",
    Outcome.WORSE: "bad",
    Outcome.UNCLEAR: "bad",
}


class AnyCard(Protocol):
    """What every card has."""

    @property
    def tenant(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def created_at(self) -> Timestamp: ...
    @property
    def occasion(self) -> Occasion | None: ...


def page(card: AnyCard, sections: Sequence[str]) -> str:
    """HTML that stands by itself."""
    name = f"{card.tenant}/{card.model} v{card.version}"
    why = "" if card.occasion is None else f", by {escape(card.occasion.why)}"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(name)}</title><style>{_STYLE}</style></head>"
        f"<body><h1>Model card: {escape(name)}</h1>"
        f'<p class="note">Trained {card.created_at:%Y-%m-%d %H:%M} UTC{why}</p>'
        f"{''.join(sections)}</body></html>\n"
    )


def with_interval(value: float, found: Interval | None) -> str:
    return f"{value:.4f}" if found is None else f"{value:.4f} ({found.low:.4f} to {found.high:.4f})"


def verdict(quality: Quality) -> list[str]:
    kind = {"promoted": "good", "refused": "bad"}.get(str(quality.decision), "plain")
    judgement = quality.judgement
    reasons = (quality.verdict,) if judgement is None else judgement.reasons
    told = "".join(f"<p>{escape(reason)}</p>" for reason in reasons)
    return [f'<div class="verdict {kind}"><p><b>{quality.decision}</b></p>{told}</div>']


def differences(judgement: Judgement | None, who: str = "shoppers") -> list[str]:
    if judgement is None or not judgement.checks:
        return []
    judged = [check for check in judgement.checks if check.outcome is not Outcome.TOO_FEW]
    # What is compared with something else is far off, and would leave the others no room.
    judged = [check for check in judged if not check.segment.startswith(BESIDE)] or judged
    spans = [
        Span(
            _label(check),
            check.ours - check.reference,
            check.low,
            check.high,
            -check.margin,
            _KIND.get(check.outcome, "plain"),
        )
        for check in judged
    ]
    reference = escape(judgement.reference)
    rows = [
        (
            _label(check),
            f"{check.shoppers:,}",
            f"{check.ours:.4f}",
            f"{check.reference:.4f}",
            f"{check.low:+.4f} to {check.high:+.4f}",
            str(check.outcome),
        )
        for check in judgement.checks
    ]
    head = ("measure", who, "this version", judgement.reference, "difference", "outcome")
    return [
        f"<h2>Beside {reference}, on the same {who}</h2>",
        intervals(spans, "difference of means with its 95 % interval; tick: the least allowed")
        if spans
        else "",
        table(head, rows),
    ]


def _label(check: Check) -> str:
    return f"{check.metric.replace('mrr', 'MRR')}, {check.view}, {check.segment}"


def kept_bounds(judgement: Judgement | None, title: str, what: str) -> list[str]:
    """`what` is bounded."""
    if judgement is None or not judgement.bounds:
        return []
    rows = [
        (
            f"{bound.name.replace('_', ' ')}, {bound.view}",
            f"{bound.ours:.4f}",
            f"{bound.reference:.4f}",
            f"{bound.limit:.4f}",
            "kept" if bound.kept else "broken",
        )
        for bound in judgement.bounds
    ]
    head = (what, "this version", judgement.reference, "bound", "")
    return [f"<h2>{escape(title)}</h2>", table(head, rows)]


def drift(occasion: Occasion | None) -> list[str]:
    if occasion is None or not occasion.drift:
        return []
    rows = [
        Bar(name, value, "bad" if value > 0.25 else "plain")
        for name, value in sorted(occasion.drift.items())
    ]
    title = "population stability index since the version in service; above 0.25 is much"
    return ["<h2>How far the data had gone</h2>", bars(rows, title, digits=3)]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns of numbers stand to the right. With an empty head it is names and what they have."""
    lines = [tuple(row) for row in rows]
    kinds = [""] * len(head)
    if any(head) and lines:
        kinds = [_kind(column) for column in zip(*lines, strict=True)]
    top = _row("th", kinds, head) if any(head) else ""
    body = "".join(_row("td", kinds, line) for line in lines)
    return f'<div class="wide"><table>{top}{body}</table></div>'


def _row(tag: str, kinds: Sequence[str], cells: Sequence[str]) -> str:
    told = zip(kinds, cells, strict=True)
    return f"<tr>{''.join(f'<{tag}{kind}>{escape(text)}</{tag}>' for kind, text in told)}</tr>"


def _kind(column: Sequence[str]) -> str:
    """An attribute of its cells."""
    if all(_NUMBER.fullmatch(text) for text in column):
        return ' class="n"'
    return ' class="i"' if any(_RANGE.search(text) for text in column) else ""
