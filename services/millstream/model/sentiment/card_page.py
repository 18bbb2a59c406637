"""A review model's card as one page: what it learnt from and what was kept out, how often it is
right, on which reviews, and what its probabilities are worth. Pure; all of it is in the signed
manifest."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from millstream.domain.clock import as_datetime
from millstream.model.card_parts import (
    differences,
    drift,
    kept_bounds,
    page,
    table,
    verdict,
    with_interval,
)
from millstream.model.plots import Bar, Span, bars, intervals
from millstream.model.sentiment.card import ReviewCard
from millstream.model.sentiment.manifest import PROBABILITY, Figure, ReviewGroup, ReviewWindow


def review_card_page(card: ReviewCard) -> str:
    """HTML."""
    judgement = card.quality.judgement
    return page(
        card,
        [
            *verdict(card.quality),
            *differences(judgement, "reviews"),
            *_groups([group for group in card.groups if group.kind != PROBABILITY]),
            *_probabilities([group for group in card.groups if group.kind == PROBABILITY]),
            *kept_bounds(judgement, "How far probabilities may be off", "held to a bound"),
            *_data(card),
            *drift(card.occasion),
        ],
    )


def _groups(groups: Sequence[ReviewGroup]) -> list[str]:
    if not groups:
        return []
    rows = [
        Bar(
            _label(group),
            group.accuracy.value,
            "plain" if place else "good",
            group.accuracy.interval,
        )
        for place, group in enumerate(groups)
    ]
    said = [
        (
            _label(group),
            f"{group.reviews:,}",
            _shown(group.accuracy),
            _shown(group.calibration_error),
        )
        for group in groups
    ]
    return [
        "<h2>On which reviews it is right</h2>",
        bars(rows, "share of reviews that it is right on, with 95 % intervals"),
        table(("held-out reviews", "number", "right on", "calibration error"), said),
        '<p class="note">Calibration error: how far probabilities are from what they say, in the '
        "mean over bins; chance alone makes some of it where reviews are few, for which its "
        "interval makes up. No interval: too few reviews.</p>",
    ]


def _probabilities(groups: Sequence[ReviewGroup]) -> list[str]:
    if not groups:
        return []
    spans = [
        Span(
            f"{group.name} ({group.reviews:,} reviews)",
            group.gap.value,
            group.gap.interval.low,
            group.gap.interval.high,
            None,
            "plain" if group.gap.interval.low <= 0 <= group.gap.interval.high else "bad",
        )
        for group in groups
        if group.gap.interval is not None
    ]
    few = ", ".join(
        f"{group.name} ({group.reviews:,})" for group in groups if group.gap.interval is None
    )
    return [
        "<h2>What its probabilities are worth</h2>",
        intervals(spans, "mean probability of a good one less the share of good ones, 95 %")
        if spans
        else "",
        f'<p class="note">Too few reviews to tell: {escape(few)}</p>' if few else "",
    ]


def _data(card: ReviewCard) -> list[str]:
    data, origin = card.reviews, card.provenance
    domains = ", ".join(f"{name}: {count:,}" for name, count in data.domains.items())
    rows = [
        ("reviews", f"{data.good + data.bad:,}"),
        ("good", f"{data.good:,}"),
        ("bad", f"{data.bad:,}"),
        ("learnt from", f"{data.learnt:,}"),
        ("kept out of every version, measured on", f"{data.held_out:,}"),
        ("largest domains", domains),
        *_topic(card.window),
        ("code", origin.code_version),
        ("settings digest", origin.settings_digest),
        ("seed", str(origin.seed)),
        ("kind", str(card.kind)),
        ("words", f"{card.words:,}"),
    ]
    return ["<h2>Data and lineage</h2>", table(("", ""), rows)]


def _topic(window: ReviewWindow | None) -> list[tuple[str, str]]:
    if window is None:
        return [("topic of reviews", "not read: an operator's reviews alone")]
    first, last = as_datetime(window.first_log_ms), as_datetime(window.last_log_ms)
    offsets = ", ".join(f"{place}: {end:,}" for place, end in sorted(window.offsets.items()))
    older = window.rated - window.erased - window.learnt
    return [
        ("log time of the topic's", f"{first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"),
        ("offsets, per partition the next one", offsets),
        ("on the topic, rated good or bad", f"{window.rated:,}"),
        ("of them left out: of shoppers to be forgotten", f"{window.erased:,}"),
        ("left out: not the newest of a shopper, or too many", f"{older:,}"),
        ("taken of the topic", f"{window.learnt:,}"),
    ]


def _label(group: ReviewGroup) -> str:
    return f"{group.kind}: {group.name}" if group.kind else group.name


def _shown(figure: Figure | None) -> str:
    return "" if figure is None else with_interval(figure.value, figure.interval)
