"""A review model's card tells what its manifest holds, and nothing in it breaks out of the page."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.review_models import describe_reviews, linear_model
from tests.unit.model.test_card import Page

from millstream.domain.models import Decision
from millstream.model.judgement import BESIDE, Bound, Check, Judgement, Outcome
from millstream.model.manifest import Interval, Occasion, Quality, encode_manifest
from millstream.model.registry import Registry
from millstream.model.sentiment.artifact import ReviewFiles
from millstream.model.sentiment.card import ReviewCard, review_card_of
from millstream.model.sentiment.card_page import review_card_page
from millstream.model.sentiment.manifest import (
    Figure,
    ReviewData,
    ReviewGroup,
    ReviewManifest,
    ReviewWindow,
    decode_review_manifest,
)

SURE = Figure(0.893, Interval(0.877, 0.908))
GROUPS = (
    ReviewGroup("", "overall", 1564, SURE, Figure(0.01, Interval(-0.01, 0.02)), Figure(0.027)),
    ReviewGroup("domain", "<script>alert(1)</script>", 400, SURE, SURE, SURE),
    ReviewGroup("label", "bad", 3, Figure(1.0), Figure(0.2)),
    ReviewGroup("probability", "0.9 to 1.0", 512, SURE, Figure(0.03, Interval(0.01, 0.05))),
    ReviewGroup("probability", "0.4 to 0.5", 7, Figure(0.5), Figure(0.03)),
)
JUDGEMENT = Judgement(
    Decision.PROMOTED,
    "v1",
    ("better", "accuracy of all"),
    (
        Check("reviews", "accuracy", "overall", 1564, 0.9, 0.88, 0.01, 0.03, 0.02, Outcome.BETTER),
        Check("reviews", "accuracy", BESIDE, 1564, 0.9, 0.5, 0.38, 0.42, 0.0, Outcome.PASSED),
    ),
    (Bound("reviews", "calibration error", 0.027, 0.03, 0.05, True),),
)


def full(version: int, files: ReviewFiles) -> ReviewManifest:
    quality = Quality({"accuracy": 0.893}, JUDGEMENT.verdict, True, JUDGEMENT)
    return msgspec.structs.replace(
        describe_reviews(version, files),
        quality=quality,
        reviews=ReviewData(4000, 4000, {"books": 2000}, 5, 1564),
        window=ReviewWindow({0: 812, 1: 9}, 1_760_000_000_000, 1_770_000_000_000, 700, 40, 610),
        occasion=Occasion("reviews", {}),
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        groups=GROUPS,
    )


def registered(registry: Registry, key: Ed25519PrivateKey) -> ReviewManifest:
    return registry.register_reviews(linear_model(), full, key)[0]


def test_the_page_tells_data_what_was_kept_out_and_every_interval(
    registry: Registry, key: Ed25519PrivateKey
) -> None:
    page = Page(review_card_page(review_card_of(registered(registry, key))))
    assert page.links == []
    assert "script" not in page.tags
    assert page.tags.count("svg") == 3, "differences, groups, probabilities"
    assert page.tags.count("path") == 2, "a whisker where there is an interval"
    assert page.tags.count("circle") == 2, "what v1 has no part in is not drawn beside it"
    text = " ".join(page.text)
    for told in (
        "default/sentiment v1",
        "by reviews",
        "promoted",
        "Beside v1, on the same reviews",
        "+0.0100 to +0.0300",
        "+0.3800 to +0.4200",
        "0.8930 (0.8770 to 0.9080)",
        "0.0270",
        "domain: <script>",
        "0.9 to 1.0 (512 reviews)",
        "+0.0300",
        "Too few reviews to tell: 0.4 to 0.5 (7)",
        "8,000",
        "1,564",
        "6,436",
        "0: 812, 1: 9",
        "700",
        "40",
        "50",
        "0123456789ab",
        "linear",
    ):
        assert told in text, told


def test_the_card_as_json_is_the_same(registry: Registry, key: Ed25519PrivateKey) -> None:
    manifest = registered(registry, key)
    card = review_card_of(manifest)
    assert msgspec.json.decode(msgspec.json.encode(card), type=ReviewCard) == card
    assert (card.groups, card.words, card.reviews.learnt) == (GROUPS, 5, 6436)
    assert decode_review_manifest(encode_manifest(manifest)) == manifest


def test_a_card_of_an_older_version_says_less(registry: Registry, key: Ed25519PrivateKey) -> None:
    old, _ = registry.register_reviews(linear_model(), describe_reviews, key)
    assert b"groups" not in encode_manifest(old)
    page = Page(review_card_page(review_card_of(old)))
    text = " ".join(page.text)
    assert "good enough" in text
    assert "an operator's reviews alone" in text
    assert "svg" not in page.tags
