"""The examples of README and of docs/extend.md are run as they stand there."""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pytest
from tests.builders import NOON_MS, event
from tests.documents import blocks

from millstream import client
from millstream.domain import lists
from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.domain.events import EventType
from millstream.domain.lists import Source
from millstream.features import state
from millstream.features.layout import Layout
from millstream.features.recent_items import Touch
from millstream.features.replayed import ReplayedShopper
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Context
from millstream.ranking.items import ItemTable
from millstream.ranking.policy.rule import Lines
from millstream.ranking.replayed_shop import ReplayedShop
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Shopper

EXAMPLES = [body for name in ("README.md", "docs/extend.md") for body in blocks(name, "python")]


def example(containing: str) -> str:
    [found] = [body for body in EXAMPLES if containing in body]
    return found


def run(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(source, "an example", "exec"), names)  # noqa: S102  it is our own document
    return names


def test_no_example_is_left_unrun() -> None:
    kinds = ("import Client", "UserFeature[", "-> Mask", "SOURCE =")
    assert sorted(example(kind) for kind in kinds) == sorted(EXAMPLES)


def test_the_client_example_runs_against_the_client_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = create_autospec(client.Client)
    shop = fake.return_value.__enter__.return_value
    shop.track.return_value = event("e1", "17850")
    item = lists.RankedItem("71053", 0.9, Source.COVISITED, "others took it with it")
    shop.recommendations.return_value.items = (item,)
    monkeypatch.setattr(client, "Client", fake)
    run(example("import Client"))
    shop.track.assert_called_once()
    shop.recommendations.assert_called_once_with("17850", after=event("e1", "17850"), timeout=5)
    assert capsys.readouterr().out == "71053 covisited others took it with it\n"


def test_the_feature_example_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    feature = run(example("UserFeature["))["WISHLIST_COUNT"]
    features = (*state.USER_FEATURES, feature)
    layout = Layout(features)
    monkeypatch.setattr("millstream.features.replayed.USER_FEATURES", features)
    monkeypatch.setattr(state, "LAYOUT", layout)
    monkeypatch.setitem(state._PLACE, feature.name, len(features) - 1)
    shopper = ReplayedShopper()
    before_it = shopper.state()
    shopper.apply(event("e1", "ann", "i1", kind=EventType.ADD_TO_WISHLIST))
    shopper.apply(event("e2", "ann", "i1", kind=EventType.VIEW_ITEM))
    assert before_it.read(feature, NOON_MS) == 0
    assert shopper.state().read(feature, NOON_MS) == 1


def test_the_rule_example_takes_out_what_has_no_price() -> None:
    rule = run(example("-> Mask"))
    priced = {"a": 1.0, "b": None}
    catalogue = {
        name: CatalogueItem(item_id=name, added_at=as_datetime(NOON_MS), price=price)
        for name, price in priced.items()
    }
    batch, shop = Batch([Shopper("default", "ann")], ItemTable()), ReplayedShop(catalogue)
    items = batch.table.of(["a", "b", "c"])[None, :]
    facts = batch.table.facts(items, shop)
    lines = Lines(items, np.array([0]), batch, shop, facts, RankingSettings())
    assert rule["keeps"](lines, items >= 0).tolist() == [[True, False, True]]
    assert rule["NAME"] == "no_price"


def test_the_source_example_proposes_the_cart(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = StrEnum("Source", {**{s.name: s.value for s in Source}, "CART": "cart"})  # type: ignore[misc]
    monkeypatch.setattr(lists, "Source", grown)
    source = run(example("SOURCE ="))
    touched = (
        Touch("a", EventType.ADD_TO_CART, NOON_MS),
        Touch("b", EventType.VIEW_ITEM, NOON_MS),
    )
    context = Context(ReplayedShop(), RankingSettings(), None, NOON_MS)
    batch = Batch([Shopper("default", "ann", touched)], ItemTable())
    proposed = source["propose"](batch, context)
    assert [batch.table.ids[item] for item in proposed.items] == ["a"]
