"""`millstream evaluate questions`: 200 questions to a small shop (golden.yaml)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct

from millstream.domain.catalogue import CatalogueItem
from millstream.domain.reviews import ReviewCounts
from millstream.search.index import Query, SearchIndex
from millstream.search.meaning import Meaning
from millstream.search.questions.answering import Answered, Listed, answer
from millstream.search.questions.asked import Kind

GOLDEN = Path(__file__).parent / "golden.yaml"
TUNED, HELD_OUT = "tuned", "held_out"


class GoldenQuestion(Struct, frozen=True, array_like=True):
    kind: Kind
    items: tuple[str, ...]
    text: str
    looked_at: str | None = None

    @property
    def part(self) -> str:
        """Whether the rules were tuned on it: by the first bit of its text's SHA-256."""
        return TUNED if sha256(self.text.encode()).digest()[0] < 128 else HELD_OUT


class SmallShop:
    """Implements answering.Facts."""

    def __init__(self, told: dict[str, Any], meaning: Meaning) -> None:
        added = {"added_at": datetime(2026, 1, 1, tzinfo=UTC)}
        items = msgspec.convert([one | added for one in told["items"]], list[CatalogueItem])
        self._items = {item.item_id: item for item in items}
        self._reviews = {
            item_id: ReviewCounts(tenant="shop", item_id=item_id, **counts)
            for item_id, counts in told["reviews"].items()
        }
        self._list = {one["item_id"]: Listed(one["source"], one["reason"]) for one in told["list"]}
        self._index = SearchIndex(meaning)
        self._index.apply({**self._items})

    async def find(self, query: Query) -> Sequence[CatalogueItem]:
        return [hit.item for hit in self._index.search(query)]

    def item(self, item_id: str) -> CatalogueItem | None:
        return self._items.get(item_id)

    def reviews(self, item_id: str) -> ReviewCounts | None:
        return self._reviews.get(item_id)

    async def listed(self) -> dict[str, Listed]:
        return self._list


def golden(meaning: Meaning) -> tuple[SmallShop, list[GoldenQuestion]]:
    told = _told()
    questions = msgspec.convert(told["questions"], list[GoldenQuestion])
    return SmallShop(told, meaning), questions


@cache
def _told() -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(GOLDEN.read_text(encoding="utf-8"))
    return told


def is_right(question: GoldenQuestion, given: Answered) -> bool:
    """Of the right kind, about the right items, and with the fields that it rests on."""
    if question.kind is Kind.UNKNOWN:
        return not given.known
    about = {item.item_id for item in (*given.items, *given.cheaper)}
    told = {source.item_id for source in given.sources}
    return given.known and given.kind is question.kind and about == told == {*question.items}


def evaluate_questions(meaning: Meaning) -> dict[str, Any]:
    shop, questions = golden(meaning)
    given = asyncio.run(_all(shop, questions))
    parts: defaultdict[str, list[tuple[GoldenQuestion, Answered]]] = defaultdict(list)
    for question, one in zip(questions, given, strict=True):
        parts[question.part].append((question, one))
    return {
        "questions": len(questions),
        **_figures(parts[HELD_OUT]),
        "tuned": _figures(parts[TUNED]),
    }


async def _all(shop: SmallShop, questions: Sequence[GoldenQuestion]) -> list[Answered]:
    return [await answer(one.text, shop, one.looked_at) for one in questions]


def _figures(judged: Sequence[tuple[GoldenQuestion, Answered]]) -> dict[str, Any]:
    """`refused_rightly`: of those whose answer nobody knows; `refused_wrongly`: of the others;
    `wrong`: answers that say something else than they should, of all."""
    right = [is_right(question, given) for question, given in judged]
    kinds: defaultdict[str, list[bool]] = defaultdict(list)
    for (question, _), one in zip(judged, right, strict=True):
        kinds[question.kind].append(one)
    unknown = [given for question, given in judged if question.kind is Kind.UNKNOWN]
    others = [given for question, given in judged if question.kind is not Kind.UNKNOWN]
    wrong = sum(given.known and not one for (_, given), one in zip(judged, right, strict=True))
    return {
        "asked": len(judged),
        "accuracy": round(sum(right) / len(judged), 4),
        "by_kind": {str(k): round(sum(v) / len(v), 4) for k, v in sorted(kinds.items())},
        "refused_rightly": [sum(not one.known for one in unknown), len(unknown)],
        "refused_wrongly": [sum(not one.known for one in others), len(others)],
        "wrong": wrong,
    }
