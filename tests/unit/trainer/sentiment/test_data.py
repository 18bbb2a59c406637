from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from tests.training.sentiment.made_reviews import made_reviews, write_reviews

from millstream.domain.errors import OperatorError
from millstream.model.sentiment.review import ReviewText
from millstream.trainer.sentiment.data import (
    FILE_NAME,
    Reviews,
    folds,
    held_out,
    read_reviews,
)


def test_reviews_come_back_as_written(tmp_path: Path) -> None:
    made = made_reviews(12, 0)
    found = read_reviews(write_reviews(tmp_path, made))
    assert (found.texts, found.domains) == (made.texts, made.domains)
    assert found.labels.tolist() == made.labels.tolist()


def test_copies_of_a_text_share_a_fold_and_the_folds_are_even() -> None:
    made = made_reviews(400, 1)
    copies = tuple(ReviewText("other", f" {text.text.upper()} ") for text in made.texts[:40])
    both = Reviews(
        made.texts + copies,
        np.concatenate([made.labels, 1 - made.labels[:40]]),
        made.domains + made.domains[:40],
    )
    found = folds(both, 5)
    assert found[400:].tolist() == found[:40].tolist()
    sizes = np.bincount(folds(made, 5))
    assert len(sizes) == 5
    assert sizes.max() - sizes.min() <= 20


def test_folds_do_not_hang_on_the_order_of_the_file() -> None:
    made = made_reviews(100, 2)
    order = np.random.default_rng(0).permutation(100)
    assert folds(made.take(order), 4).tolist() == folds(made, 4)[order].tolist()


def test_a_text_is_held_out_for_good_whatever_stands_beside_it() -> None:
    made = made_reviews(1000, 3)
    held = held_out(made, 5)
    assert 150 < held.sum() < 250
    some = np.arange(0, 1000, 3)
    assert held_out(made.take(some), 5).tolist() == held[some].tolist()
    shouted = tuple(ReviewText("other", f" {text.text.upper()} ") for text in made.texts)
    assert held_out(Reviews(shouted, made.labels, made.domains), 5).tolist() == held.tolist()


def test_a_text_that_is_no_unicode_is_on_one_side_too() -> None:
    strange = Reviews((ReviewText("", "\ud800"),) * 2, np.array([0, 1]), ("books",) * 2)
    assert len(set(held_out(strange, 5).tolist())) == 1


@pytest.mark.parametrize(
    "line", [b"{}", b"no json", b'{"domain":"a","label":2,"title":"","text":""}']
)
def test_a_line_of_another_form_is_named(tmp_path: Path, line: bytes) -> None:
    with gzip.open(tmp_path / FILE_NAME, "wb") as file:
        file.write(line)
    with pytest.raises(OperatorError, match=f"{FILE_NAME} line 1"):
        read_reviews(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=FILE_NAME):
        read_reviews(tmp_path)
