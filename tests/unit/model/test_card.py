"""The card tells what the manifest holds, and nothing in it can break out of the page."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from millstream.domain.models import Decision
from millstream.model.artifact import Files
from millstream.model.card import Card, card_of
from millstream.model.card_page import card_page
from millstream.model.embeddings import Embeddings
from millstream.model.fairness import Fairness, ItemGroup, ShopperGroup
from millstream.model.judgement import Bound, Check, Judgement, Outcome
from millstream.model.manifest import (
    Interval,
    Manifest,
    Occasion,
    Quality,
    decode_manifest,
    encode_manifest,
)
from millstream.model.registry import Registry

Describe = Callable[[int, Files], Manifest]

CHECK = Check(
    "whole list", "recall@20", "overall", 812, 0.21, 0.2, 0.004, 0.016, 0.01, Outcome.BETTER
)
FEW = msgspec.structs.replace(CHECK, segment="new items", shoppers=3, outcome=Outcome.TOO_FEW)
JUDGEMENT = Judgement(
    Decision.PROMOTED,
    "v6",
    ("better", "recall@20 of the whole list"),
    (CHECK, FEW),
    (Bound("model", "gini", 0.9, 0.88, 0.93, True),),
)
FAIRNESS = Fairness(
    (ShopperGroup("new shoppers", 12, 0.1, 0.05, 0.15, 0.2, 0.1, 0.3),),
    (ItemGroup("category", "<script>alert(1)</script>", 40, 0.3, 0.5),),
)


@pytest.fixture
def manifest(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> Manifest:
    def full(version: int, files: Files) -> Manifest:
        quality = Quality(
            {"queries": 900.0, "model_recall_at_20": 0.2, "popularity_recall_at_20": 0.1},
            JUDGEMENT.verdict,
            True,
            JUDGEMENT,
            FAIRNESS,
            {"model_recall_at_20": Interval(0.18, 0.22)},
        )
        return msgspec.structs.replace(
            describe(version, files),
            quality=quality,
            occasion=Occasion("asked", {"item": 0.31, "type": 0.02}),
        )

    return registry.register(parts, full, key)[0]


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "style"}]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_page_stands_by_itself(manifest: Manifest) -> None:
    page = Page(card_page(card_of(manifest)))
    assert page.links == []
    assert "script" not in page.tags
    assert page.tags.count("svg") == 3, "differences, figures, drift"


def test_the_page_tells_what_the_manifest_holds(manifest: Manifest) -> None:
    text = " ".join(Page(card_page(card_of(manifest))).text)
    for told in (
        "default/embedding v1",
        "promoted",
        "Beside v6",
        "recall@20, whole list, overall",
        "812",
        "+0.0040 to +0.0160",
        "too few",
        "gini, model",
        "0: 10, 11: 4",
        "0123456789ab",
        "by asked",
        "0.310",
        "0.2000 (0.1800 to 0.2200)",
        "with 95 % intervals over shoppers",
        "new shoppers",
        "0.1000 (0.0500 to 0.1500)",
        "category: <script>",
        "50.0%",
    ):
        assert told in text, told


def test_numbers_stand_under_the_head_of_their_column(manifest: Manifest) -> None:
    page = card_page(card_of(manifest))
    assert '<th class="n">shoppers</th>' in page
    assert '<td class="n">812</td>' in page
    assert "<th>outcome</th>" in page


def test_a_bar_has_its_interval_where_one_is_known(manifest: Manifest) -> None:
    page = Page(card_page(card_of(manifest)))
    assert page.tags.count("path") == 1, "popularity was measured without one"


def test_the_card_as_json_is_the_same(manifest: Manifest) -> None:
    card = card_of(manifest)
    assert msgspec.json.decode(msgspec.json.encode(card), type=Card) == card
    assert (card.users, card.items, card.quality) == (3, 30, manifest.quality)


def test_a_card_of_an_older_version_says_less(
    registry: Registry, parts: Embeddings, describe: Describe, key: Ed25519PrivateKey
) -> None:
    old, _ = registry.register(parts, describe, key)
    raw = encode_manifest(old)
    for later in (b"judgement", b"intervals"):
        assert later not in raw, "what is not known is not written, so older code reads it"
    page = Page(card_page(card_of(decode_manifest(raw))))
    assert "good enough" in " ".join(page.text)
    assert "svg" not in page.tags


def test_a_manifest_from_before_the_gate_is_read() -> None:
    old = b"""{"schema_version":1,"tenant":"default","model":"embedding","version":3,"arrays":{},
    "lists":{},"rule":{"recent_items":24,"recent_half_life":10.0,"recent_share":0.5},
    "window":{"first_log_ms":1,"last_log_ms":2,"offsets":{"0":10},"lines":9,"counted_lines":8,
    "pairs":7},"provenance":{"code_version":"0.1.0","settings_digest":"0123456789ab","seed":1},
    "quality":{"metrics":{"queries":3.0},"verdict":"good enough","passed":true},
    "created_at":"2026-01-02T00:00:00Z"}"""
    manifest = decode_manifest(old)
    assert (manifest.quality.judgement, manifest.occasion) == (None, None)
    assert manifest.quality.decision is Decision.PROMOTED
