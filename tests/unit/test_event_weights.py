"""What events say about interest is a setting, and a wrong one is told as such."""

from __future__ import annotations

import pytest

from millstream.domain.deriving import DAY_MS, EVENT_WEIGHT, USUAL
from millstream.domain.errors import OperatorError
from millstream.domain.events import EventType
from millstream.settings import ConnectionSettings, load
from millstream.settings.event_weights import write_weights

NAME = "MILLSTREAM_EVENT_WEIGHTS"


def test_unset_all_is_as_usual() -> None:
    assert load(ConnectionSettings).deriving == USUAL


def test_types_that_are_not_named_keep_their_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "view_item=0.5, purchase = 30,select_item=0")
    monkeypatch.setenv("MILLSTREAM_POPULAR_HALF_LIFE_DAYS", "7")
    monkeypatch.setenv("MILLSTREAM_TOGETHER_HALF_LIFE_DAYS", "60")
    monkeypatch.setenv("MILLSTREAM_BASKET_SHARING", "0.5")
    found = load(ConnectionSettings).deriving
    said = {EventType.VIEW_ITEM: 0.5, EventType.PURCHASE: 30.0}
    others = {kind: weight for kind, weight in EVENT_WEIGHT.items() if kind != "select_item"}
    assert found.weights == {**others, **said}, "a type of weight 0 feeds nothing"
    assert found.popular_half_life_ms == 7 * DAY_MS
    assert found.together_half_life_ms == 60 * DAY_MS
    assert found.popularity(EventType.PURCHASE, 4) == 30 / 2, "shared by four, as if they were two"


def test_what_is_written_reads_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {EventType.VIEW_ITEM: 1.5, EventType.PURCHASE: 30.0}
    monkeypatch.setenv(NAME, write_weights(weights))
    assert load(ConnectionSettings).event_weights == weights


def test_a_child_process_is_told_them_as_an_operator_writes_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = {EventType.VIEW_ITEM: 1.5, EventType.PURCHASE: 30.0}
    settings = load(ConnectionSettings, event_weights=weights)
    monkeypatch.setenv(NAME, str(settings.model_dump(mode="json")["event_weights"]))
    assert load(ConnectionSettings).event_weights == weights


@pytest.mark.parametrize(
    "wrong",
    [
        "look=1",
        "erase=1",
        "purchase",
        "purchase=much",
        "purchase=-1",
        "purchase=nan",
        "view_item=1e9",
    ],
)
def test_a_wrong_one_is_named(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, wrong)
    with pytest.raises(OperatorError, match=NAME) as told:
        load(ConnectionSettings)
    assert "expected" in str(told.value)
    assert wrong in str(told.value)


def test_all_of_no_interest_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, ",".join(f"{kind}=0" for kind in EVENT_WEIGHT))
    with pytest.raises(OperatorError, match="above 0"):
        load(ConnectionSettings)


@pytest.mark.parametrize("days", ["0.5", "4000", "nan"])
def test_a_half_life_is_of_days_to_years(days: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLSTREAM_POPULAR_HALF_LIFE_DAYS", days)
    with pytest.raises(OperatorError, match="MILLSTREAM_POPULAR_HALF_LIFE_DAYS"):
        load(ConnectionSettings)
