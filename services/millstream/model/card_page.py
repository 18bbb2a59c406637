"""A version's card as one page that stands by itself: what it learnt from, how good it is beside
the one it was compared with, for whom, and what its lists show. Pure; all of it is in the signed
manifest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from millstream.domain.clock import as_datetime
from millstream.domain.models import Network
from millstream.model.card import Card
from millstream.model.embeddings import ServingRule
from millstream.model.fairness import Fairness
from millstream.model.judgement import Check, Judgement, Outcome
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
td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td:not(.n){overflow-wrap:anywhere}.wide{overflow-x:auto}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}svg text{fill:var(--ink)}
svg line{stroke:var(--plain);stroke-width:2}svg rect,svg circle{fill:var(--plain)}
svg line.zero{stroke:var(--line);stroke-width:1}svg line.least{stroke:var(--soft)}
svg .good{stroke:var(--good);fill:var(--good)}svg .bad{stroke:var(--bad);fill:var(--bad)}
svg rect.good,svg rect.bad,svg rect.plain{stroke:none}
"""

_KIND = {
    Outcome.BETTER: "good",
    Outcome.WORSE: "bad",
    Outcome.UNCLEAR: "bad",
}
_CONTENDERS = ("model", "whole_list", "popularity", "covisitation")


def card_page(card: Card) -> str:
    """HTML."""
    name = f"{card.tenant}/{card.model} v{card.version}"
    parts = [
        f"<h1>Model card: {escape(name)}</h1>",
        f'<p class="note">Trained {card.created_at:%Y-%m-%d %H:%M} UTC{_why(card)}</p>',
        *_verdict(card),
        *_differences(card.quality.judgement),
        *_figures(card),
        *_exposure(card.quality.judgement),
        *_fairness(card.quality.fairness),
        *_data(card),
        *_drift(card),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(name)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _why(card: Card) -> str:
    return "" if card.occasion is None else f", by {escape(card.occasion.why)}"


def _verdict(card: Card) -> list[str]:
    quality = card.quality
    kind = {"promoted": "good", "refused": "bad"}.get(str(quality.decision), "plain")
    judgement = quality.judgement
    reasons = (quality.verdict,) if judgement is None else judgement.reasons
    told = "".join(f"<p>{escape(reason)}</p>" for reason in reasons)
    return [f'<div class="verdict {kind}"><p><b>{quality.decision}</b></p>{told}</div>']


def _differences(judgement: Judgement | None) -> list[str]:
    if judgement is None or not judgement.checks:
        return []
    judged = [check for check in judgement.checks if check.outcome is not Outcome.TOO_FEW]
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
    head = ("measure", "shoppers", "this version", judgement.reference, "difference", "outcome")
    return [
        f"<h2>Beside {reference}, on the same shoppers</h2>",
        intervals(spans, "difference of means with its 95 % interval; tick: the least allowed")
        if spans
        else "",
        _table(head, rows),
    ]


def _label(check: Check) -> str:
    return f"{check.metric.replace('mrr', 'MRR')}, {check.view}, {check.segment}"


def _figures(card: Card) -> list[str]:
    metrics = card.quality.metrics
    parts = ["<h2>Over all visits of the exam</h2>"]
    titles = {"recall_at_20": "recall@20", "mrr_at_20": "MRR@20"}
    for metric, title in titles.items():
        rows = [
            Bar(
                name.replace("_", " "),
                metrics[f"{name}_{metric}"],
                "good" if place < 2 else "plain",
            )
            for place, name in enumerate(_CONTENDERS)
            if f"{name}_{metric}" in metrics
        ]
        if rows:
            visits = f"{metrics.get('queries', 0):,.0f} visits"
            parts.append(bars(rows, f"{title} on {visits}"))
    return parts if len(parts) > 1 else []


def _exposure(judgement: Judgement | None) -> list[str]:
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
    head = ("exposure", "this version", judgement.reference, "bound", "")
    return ["<h2>What the lists show of the catalogue</h2>", _table(head, rows)]


def _fairness(found: Fairness | None) -> list[str]:
    if found is None:
        return []
    shoppers = [
        (
            group.name,
            f"{group.shoppers:,}",
            f"{group.recall:.4f} ({group.recall_low:.4f} to {group.recall_high:.4f})",
            f"{group.mrr:.4f} ({group.mrr_low:.4f} to {group.mrr_high:.4f})",
        )
        for group in found.shoppers
    ]
    items = [
        (
            f"{group.kind}: {group.name}",
            f"{group.items:,}",
            f"{group.exposure:.1%}",
            f"{group.relevance:.1%}",
        )
        for group in found.items
    ]
    return [
        "<h2>Who is served how well</h2>",
        _table(("shoppers", "number", "recall@20", "MRR@20"), shoppers),
        "<h2>Which items are shown how much</h2>",
        '<p class="note">Exposure: share of the lists, the first places counting most. '
        "Relevance: share of what shoppers then wanted.</p>",
        _table(("items", "number", "exposure", "relevance"), items),
        *_bounds(found),
    ]


def _bounds(found: Fairness) -> list[str]:
    rows = [
        (
            str(cost.popular_places),
            f"{cost.recall:.4f}",
            f"{cost.low:+.4f} to {cost.high:+.4f}",
            f"{cost.tail_share:.1%}",
        )
        for cost in found.bounds
    ]
    head = ("places for best sellers", "recall@20", "difference to no bound", "long tail's places")
    return ["<h2>What a bound on exposure would cost</h2>", _table(head, rows)] if rows else []


def _data(card: Card) -> list[str]:
    window, origin, rule = card.window, card.provenance, card.rule
    first, last = as_datetime(window.first_log_ms), as_datetime(window.last_log_ms)
    offsets = ", ".join(f"{place}: {end:,}" for place, end in sorted(window.offsets.items()))
    rows = [
        ("log time", f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"),
        ("offsets, per partition the next one", offsets),
        ("item lines", f"{window.lines:,}"),
        ("user and item pairs", f"{window.pairs:,}"),
        ("users", f"{card.users:,}"),
        ("items", f"{card.items:,}"),
        ("code", origin.code_version),
        ("settings digest", origin.settings_digest),
        ("seed", str(origin.seed)),
        ("network", str(card.network)),
        ("recent items", _recent(rule, card.network)),
        ("share of recent items", f"{rule.recent_share:g}"),
        ("weight in a list", _weight_in_a_list(rule)),
    ]
    return ["<h2>Data and lineage</h2>", _table(("", ""), rows)]


def _weight_in_a_list(rule: ServingRule) -> str:
    if rule.blend is None:
        return f"{rule.weight:g} of what ranking gives to the model"
    return "a learnt blend"


def _recent(rule: ServingRule, network: Network) -> str:
    if network is Network.SESSIONS:
        return f"{rule.recent_items}, read by the encoder"
    return f"{rule.recent_items}, half-life {rule.recent_half_life:g}"


def _drift(card: Card) -> list[str]:
    if card.occasion is None or not card.occasion.drift:
        return []
    rows = [
        Bar(name, value, "bad" if value > 0.25 else "plain")
        for name, value in sorted(card.occasion.drift.items())
    ]
    title = "population stability index since the version in service; above 0.25 is much"
    return ["<h2>How far the data had gone</h2>", bars(rows, title, digits=3)]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    top = f"<tr>{titles}</tr>" if any(head) else ""
    body = "".join(f"<tr>{''.join(_cell(text) for text in row)}</tr>" for row in rows)
    return f'<div class="wide"><table>{top}{body}</table></div>'


def _cell(text: str) -> str:
    number = text.replace(",", "").replace(".", "").isdigit()
    return f'<td class="n">{escape(text)}</td>' if number else f"<td>{escape(text)}</td>"
