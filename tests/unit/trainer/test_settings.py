"""Every knob is checked, and what decides a version is in its digest."""

from __future__ import annotations

import pytest

from millstream.domain.errors import OperatorError
from millstream.domain.events import EventType
from millstream.features.recent_items import BOUND
from millstream.settings import load
from millstream.trainer.settings import TrainerSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("test_share", 0.7),
        ("threads", 0),
        ("learning_rate", -1),
        ("tenant", "No Tenant"),
        ("counted_types", ["bought"]),
        ("recent_items", BOUND + 1),  # a recommender's state holds no more
    ],
)
def test_a_wrong_setting_is_named(name: str, value: object) -> None:
    with pytest.raises(OperatorError, match=f"MILLSTREAM_{name.upper()}"):
        load(TrainerSettings, **{name: value})


def test_the_digest_follows_what_decides_a_version_and_nothing_else() -> None:
    first = TrainerSettings().digest()
    assert TrainerSettings(threads=2, poll_s=9).digest() == first
    assert TrainerSettings(epochs=3).digest() != first
    assert TrainerSettings(window_days=30).digest() != first
    assert TrainerSettings(min_item_lines=3).digest() != first
    assert load(TrainerSettings, event_weights="purchase=30").digest() != first
    assert load(TrainerSettings, event_weights="purchase=10").digest() == first, "as usual"


def test_lines_that_say_nothing_do_not_count_for_the_next_version() -> None:
    assert EventType.VIEW_ITEM in TrainerSettings().counted
    said = load(
        TrainerSettings, event_weights="view_item=0", counted_types=["view_item", "purchase"]
    )
    assert said.counted == {EventType.PURCHASE}
