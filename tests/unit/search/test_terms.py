"""Texts as terms, what terms are worth, and what a misspelt word is meant for."""

from __future__ import annotations

from math import log

import pytest

from millstream.search.postings import Bm25, Collection, Postings
from millstream.search.spelling import Spelling, meant
from millstream.search.terms import MAX_CHARS, plain, trigrams, words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Set/4 T-LIGHTS, glass", ["set", "4", "t", "light", "glass"]),
        ("Café crème", ["cafe", "creme"]),
        ("bus boss as s", ["bus", "boss", "as", "s"]),
        ("ВАЗА 花瓶", ["ваза", "花瓶"]),
        ("_ ' -", []),
    ],
)
def test_words(text: str, said: list[str]) -> None:
    assert words(plain(text)) == said


def test_texts_are_bounded() -> None:
    assert len(plain("x" * 5_000)) == MAX_CHARS


def test_trigrams_know_where_a_word_begins_and_ends() -> None:
    assert trigrams(["mug", "a"]) == [" mu", "mug", "ug ", " a "]


def test_bm25_is_its_formula() -> None:
    texts = [["tin", "mug"], ["mug", "mug", "mug"], ["jar"]]
    postings = Postings(texts, mean_length=2.0, rule=Bm25(saturation=1.2, length=0.4))
    long = 3 * 2.2 / (3 + 1.2 * (0.6 + 0.4 * 3 / 2))
    assert postings.scores({"mug": 2.0, "none": 9.0}) == pytest.approx([2.0, 2.0 * long, 0.0])


def test_shares_are_rarities_over_all_postings() -> None:
    every = Collection(
        [Postings([["mug"], ["mug", "tin"]], 1.5, Bm25()), Postings([["jar"]], 1.5, Bm25())]
    )
    rarity = {"mug": log(1 + 1.5 / 2.5), "jar": log(1 + 2.5 / 1.5)}
    total = sum(rarity.values())
    assert every.shares(["jar", "mug", "jar"]) == pytest.approx(
        {"jar": rarity["jar"] / total, "mug": rarity["mug"] / total}
    )


@pytest.mark.parametrize("said", ["lantrn", "lantternn", "lanteen", "lantenr", "lamtern"])
def test_one_letter_wrong_is_near(said: str) -> None:
    near = Spelling(["lantern", "mug", "napkin"]).near(said)
    assert near == (set() if said == "lantternn" else {"lantern"})


def test_short_words_have_none_near() -> None:
    assert Spelling(["mug", "mugs", "tin"]).near("mog") == set()


def test_a_word_that_no_text_has_gives_way_to_those_near_it() -> None:
    postings = Postings([["lantern"], ["lantern"], ["mug"]], 1.0, Bm25())
    shop, spelling = Collection([postings]), [Spelling(postings.terms)]
    assert set(meant(["lantrn", "mug"], shop, spelling)) == {"lantern", "mug"}
    corrected = meant(["lantrn", "mug"], shop, spelling)["lantern"]
    assert 0 < corrected < meant(["lantern", "mug"], shop, spelling)["lantern"]
    assert set(meant(["qqqq"], shop, spelling)) == {"qqqq"}
    assert sum(meant(["lantrn", "qqqq", "mug"], shop, spelling).values()) == pytest.approx(1.0)
