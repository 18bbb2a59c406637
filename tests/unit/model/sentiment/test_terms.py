from __future__ import annotations

import numpy as np
import pytest

from millstream.domain.reviews import MAX_TEXT_CHARS
from millstream.model.sentiment.review import ReviewText, plain, plain_review
from millstream.model.sentiment.terms import MAX_WORDS, TermReader, Terms, ngrams, tokens
from millstream.model.vocabulary import Vocabulary


def read(title: str, text: str, words: str) -> Terms:
    return TermReader(Vocabulary(words.split())).read(tokens(ReviewText(title, text)))


def keys(title: str, text: str, words: str = "a b c d not .") -> set[int]:
    return set(read(title, text, words).keys.tolist())


def test_text_and_title_share_their_runs_and_the_title_has_some_of_its_own() -> None:
    inside = keys("", "a b c")

    assert len(inside) == 6
    assert inside < keys("a b c", "")
    assert len(keys("a b c", "")) == 6 + 5
    assert keys("", "b a c") != inside


def test_no_two_runs_have_one_key() -> None:
    runs = [[1], [2], [1, 2], [2, 1], [1, 2, 3], [3, 2, 1], [1, 1], [1, 1, 1], [MAX_WORDS] * 3]
    longest = [int(ngrams(np.array(run, dtype=np.int64), 3)[-1][0]) for run in runs]
    assert len(set(longest)) == len(runs)
    assert all(0 < key < 1 << 57 for key in longest)


def test_a_word_that_nobody_knows_is_in_no_run() -> None:
    assert keys("", "a zzz b") == keys("", "a") | keys("", "b")


def test_a_negation_marks_what_follows_up_to_the_next_mark() -> None:
    def marked(text: str) -> int:
        return sum(key >= 2 << 57 for key in keys("", text))

    assert marked("a b") == 0
    assert marked("not a b") == 2
    assert marked("not a . b") == 1
    assert marked("a not") == 0
    assert marked("not zzz zzz zzz zzz a") == 0


@pytest.mark.parametrize("negation", ["don't", "don’t", "dont", "DIDN'T", "never", "cannot"])
def test_ways_to_say_no(negation: str) -> None:
    said = f"{negation} like"
    terms = read("", said, f"{plain(negation, 9)} like")
    assert sum(key >= 2 << 57 for key in terms.keys.tolist()) == 1


@pytest.mark.parametrize("word", ["want", "excellent", "important", "different"])
def test_words_that_only_look_negative(word: str) -> None:
    assert all(key < 2 << 57 for key in read("", f"{word} it", f"{word} it").keys.tolist())


def test_repeats_are_counted_once_as_a_key() -> None:
    terms = read("", "a a a", "a")
    assert terms.counts.tolist() == [3, 2, 1]
    assert terms.text_words.tolist() == [1]


def test_markup_and_entities_say_nothing() -> None:
    review = ReviewText("<b>Good</b>", 'so<br />good &amp; cheap <a href="x">here</a>')
    assert tokens(review) == tokens(ReviewText(" good ", "so good & cheap here"))
    assert "3 < 5" in plain("3 < 5 and 7 > 2", 99)


def test_a_long_text_is_read_up_to_its_bound() -> None:
    text = "x" * (MAX_TEXT_CHARS - 1) + " yes never"
    assert "never" not in plain_review(ReviewText("", text)).text
    assert len(plain_review(ReviewText("", "<" * 10**6)).text) <= MAX_TEXT_CHARS


def test_words_of_any_script_are_words() -> None:
    said = tokens(ReviewText("", "очень хорошо! とても良い sehr schön"))
    assert {"очень", "хорошо", "sehr", "schön"} < set(said.text)


def test_more_words_than_a_key_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="at most"):
        TermReader(Vocabulary(map(str, range(MAX_WORDS + 1))))
