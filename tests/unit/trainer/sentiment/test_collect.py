"""Which rated reviews of the topic are learnt from, and how many wait to be."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from aiokafka.structs import ConsumerRecord

from millstream.domain.clock import as_datetime
from millstream.domain.erasures import Marks
from millstream.domain.reviews import Review
from millstream.model.sentiment.manifest import ReviewWindow
from millstream.trainer.sentiment.collect import SHOP, NewReviews, RatedReviews

START = 1_770_000_000_000
MINUTE = 60_000


class Topic:
    """One partition's records in turn, a minute apart."""

    def __init__(self, partition: int = 0) -> None:
        self.partition = partition
        self.records: list[ConsumerRecord[Any, Any]] = []

    @property
    def now(self) -> datetime:
        return as_datetime(START + len(self.records) * MINUTE)

    def say(self, user: str, text: str, rating: float | None = 5, **more: Any) -> None:
        fields = {"review_id": f"r-{user}", "item_id": "mug", "time": self.now, **more}
        self.put(msgspec.json.encode(Review(user_id=user, text=text, rating=rating, **fields)))

    def put(self, value: bytes | None) -> None:
        log_ms, size = START + len(self.records) * MINUTE, len(value or b"")
        self.records.append(
            ConsumerRecord(
                *("shop.reviews.v1", self.partition, len(self.records), log_ms, 0, b"key", value),
                *(None, 3, size, ()),
            )
        )


def learnt(topic: Topic) -> dict[str, int]:
    return {text: label for text, label, _ in collected(topic)[0]}


def collected(
    topic: Topic, marks: Marks | None = None
) -> tuple[list[tuple[str, int, str]], ReviewWindow]:
    """Text, label and domain of each."""
    rated = RatedReviews("default", 100)
    for record in topic.records:
        rated.take(record)
    reviews, window = rated.learnable(marks or {})
    assert len(reviews) == window.learnt
    texts = [review.text for review in reviews.texts]
    return list(zip(texts, reviews.labels.tolist(), reviews.domains, strict=True)), window


def new(topic: Topic, looked_at: dict[int, int] | None = None) -> NewReviews:
    counted = NewReviews("default", looked_at or {})
    for record in topic.records:
        counted.take(record)
    return counted


def test_stars_say_the_label_and_three_say_none() -> None:
    topic = Topic()
    for rating in (1, 2, 2.5, 3, 3.5, 4, 4.5, 5, None):
        topic.say(f"u{rating}", f"stars {rating}", rating)
    assert learnt(topic) == {
        **{"stars 1": 0, "stars 2": 0},
        **{"stars 4": 1, "stars 4.5": 1, "stars 5": 1},
    }
    assert new(topic).count() == 5


def test_of_a_review_that_was_sent_again_the_newest_version_is_learnt() -> None:
    topic = Topic()
    for user, text, rating in (
        ("ann", "lovely", 5),
        ("bob", "fine", 4),
        ("cem", "bad", 1),
        ("ann", "it broke", 1),
        ("bob", "so so", 3),
        ("cem", "no stars any more", None),
    ):
        topic.say(user, text, rating)
    assert learnt(topic) == {"it broke": 0}


def test_a_shopper_teaches_once_by_the_newest_review_that_is_rated() -> None:
    topic = Topic()
    topic.say("ann", "first", 5, review_id="1")
    topic.say("ann", "second", 1, review_id="2")
    topic.say("ann", "third", 3, review_id="3")
    topic.say("bob", "other", 4)
    found, window = collected(topic)
    assert sorted(found) == [("other", 1, SHOP), ("second", 0, SHOP)]
    assert (window.rated, window.learnt) == (3, 2)


def test_what_an_erased_shopper_wrote_before_is_not_learnt() -> None:
    topic = Topic()
    topic.say("ann", "forget this", 5, review_id="1")
    topic.say("bob", "keep this", 1)
    topic.say("ann", "written later", 5, review_id="2")
    topic.say("ann", "dated back", 5, review_id="3", time=as_datetime(START))
    marks = {("default", "ann"): START + MINUTE, ("another", "bob"): START + 9 * MINUTE}
    found, window = collected(topic, marks)
    assert {text for text, _, _ in found} == {"keep this", "written later"}
    assert (window.rated, window.erased, window.learnt) == (4, 2, 2)


def test_another_tenants_and_what_is_no_review_are_passed_over() -> None:
    topic = Topic()
    topic.say("ann", "theirs", 5, tenant="another")
    for value in (None, b"", b"{", b'{"review_id": "r"}'):
        topic.put(value)
    topic.say("bob", "ours", 5)
    found, window = collected(topic)
    assert [text for text, _, _ in found] == ["ours"]
    assert window.offsets == {0: 6}
    assert new(topic).count() == 1


def test_no_more_than_asked_for_the_newest_of_all_partitions() -> None:
    rated = RatedReviews("default", 3)
    early, late = Topic(0), Topic(1)
    for number in range(20):
        early.say(f"e{number}", f"early {number}")
    for _ in range(20):
        late.put(b"{}")  # so that its reviews come later by the log's clock
    for number in range(20):
        late.say(f"l{number}", f"late {number}")
    for record in (*late.records, *early.records):
        rated.take(record)
    reviews, window = rated.learnable({})
    assert [review.text for review in reviews.texts] == ["late 19", "late 18", "late 17"]
    assert (window.first_log_ms, window.last_log_ms) == (START + 37 * MINUTE, START + 39 * MINUTE)
    assert window.offsets == {0: 20, 1: 40}


def test_new_is_what_came_after_the_last_look() -> None:
    topic = Topic()
    for number in range(6):
        topic.say(f"u{number}", "fine", 3 if number == 4 else 5)
    counted = new(topic, {0: 3})
    assert counted.count() == 2
    counted.look_at({0: 6})
    assert counted.count() == 0
    topic.say("u6", "fine")
    counted.take(topic.records[-1])
    assert counted.count() == 1


def test_of_a_topic_that_was_made_anew_all_is_new() -> None:
    topic = Topic()
    topic.say("ann", "fine")
    assert new(topic, {0: 500}).count() == 1


def test_an_empty_topic_has_an_empty_window() -> None:
    found, window = collected(Topic())
    assert found == []
    assert window == ReviewWindow({}, 0, 0, 0, 0, 0)
    assert new(Topic()).count() == 0
