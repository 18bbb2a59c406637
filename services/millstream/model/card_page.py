"""A version's card as one page that stands by itself: what it learnt from, how good it is beside
the one it was compared with, for whom, and what its lists show. Pure; all of it is in the signed
manifest."""

from __future__ import annotations

from millstream.domain.clock import as_datetime
from millstream.domain.models import Network
from millstream.model.card import Card
from millstream.model.card_parts import differences, drift, kept_bounds, page, table, verdict
from millstream.model.embeddings import ServingRule
from millstream.model.fairness import Fairness
from millstream.model.plots import Bar, bars

_CONTENDERS = ("model", "whole_list", "popularity", "covisitation")


def card_page(card: Card) -> str:
    """HTML."""
    judgement = card.quality.judgement
    return page(
        card,
        [
            *verdict(card.quality),
            *differences(judgement),
            *_figures(card),
            *kept_bounds(judgement, "What the lists show of the catalogue", "exposure"),
            *_fairness(card.quality.fairness),
            *_data(card),
            *drift(card.occasion),
        ],
    )


def _figures(card: Card) -> list[str]:
    metrics, intervals = card.quality.metrics, card.quality.intervals
    parts = ["<h2>Over all visits of the exam</h2>"]
    titles = {"recall_at_20": "recall@20", "mrr_at_20": "MRR@20"}
    for metric, title in titles.items():
        rows = [
            Bar(
                name.replace("_", " "),
                metrics[f"{name}_{metric}"],
                "good" if place < 2 else "plain",
                intervals.get(f"{name}_{metric}"),
            )
            for place, name in enumerate(_CONTENDERS)
            if f"{name}_{metric}" in metrics
        ]
        if rows:
            visits = f"{metrics.get('queries', 0):,.0f} visits"
            told = ", with 95 % intervals over shoppers" if intervals else ""
            parts.append(bars(rows, f"{title} on {visits}{told}"))
    return parts if len(parts) > 1 else []


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
        table(("shoppers", "number", "recall@20", "MRR@20"), shoppers),
        "<h2>Which items are shown how much</h2>",
        '<p class="note">Exposure: share of the lists, the first places counting most. '
        "Relevance: share of what shoppers then wanted.</p>",
        table(("items", "number", "exposure", "relevance"), items),
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
    return ["<h2>What a bound on exposure would cost</h2>", table(head, rows)] if rows else []


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
    return ["<h2>Data and lineage</h2>", table(("", ""), rows)]


def _weight_in_a_list(rule: ServingRule) -> str:
    if rule.blend is None:
        return f"{rule.weight:g} of what ranking gives to the model"
    return "a learnt blend"


def _recent(rule: ServingRule, network: Network) -> str:
    if network is Network.SESSIONS:
        return f"{rule.recent_items}, read by the encoder"
    return f"{rule.recent_items}, half-life {rule.recent_half_life:g}"
