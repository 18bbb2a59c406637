"""The code blocks of the documents are run as they stand there, or are named here with who does."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import msgspec
import numpy as np
import pytest
import yaml
from tests.builders import NOON_MS, event
from tests.documents import (
    DOCUMENTS,
    ROOT,
    blocks,
    fences,
    is_fenced_only,
    shell_calls,
)

from millstream import client
from millstream.client import http
from millstream.domain import lists
from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.domain.errors import OperatorError
from millstream.domain.events import EventType
from millstream.domain.experiments import ExperimentTerms, check_terms
from millstream.domain.lists import Source
from millstream.features import state
from millstream.features.layout import Layout
from millstream.features.recent_items import Touch
from millstream.features.replayed import ReplayedShopper
from millstream.ranking.batch import Batch
from millstream.ranking.candidates.source import Context
from millstream.ranking.items import ItemTable
from millstream.ranking.policy.rule import Lines
from millstream.ranking.rankings import read_rankings
from millstream.ranking.replayed_shop import ReplayedShop
from millstream.ranking.settings import RankingSettings, read_ranking
from millstream.ranking.shop import Shopper
from millstream.streaming import rights
from millstream.streaming.rights import Role, require_rights

EXAMPLES = [body for name in DOCUMENTS for body in blocks(name, "python")]

OTHERS = {
    ("README.md", "json"): (4, "what commands printed: tests/unit/test_readme.py"),
    ("README.md", "mermaid"): (1, "the folders: tests/unit/test_readme.py"),
    ("README.md", "properties"): (1, "run by tests/flow/test_partitioner.py"),
    ("docs/connect.md", "html"): (1, "run by tests/browser/test_documented_page.py"),
    ("docs/experiments.md", "json"): (1, "decoded below"),
    ("docs/messages.md", "json"): (13, "decoded by tests/contract/test_message_reference.py"),
    ("docs/reviews.md", "mermaid"): (1, "a drawing: nothing to run"),
    ("docs/security.md", "text"): (1, "raised below"),
    ("docs/tenants.md", "yaml"): (1, "rendered by tests/contract/test_helm.py"),
    ("docs/tenants.md", "json"): (1, "read below"),
    ("docs/variety.md", "json"): (1, "read below"),
}
"""Blocks that are neither python nor sh: how many, and who holds them to the code."""

PROGRAMS = {
    "millstream": "commands and options: tests/unit/test_readme.py",
    "make": "targets: tests/unit/test_readme.py",
    "curl": "sent to a gateway by tests/flow/gateway/test_documented_calls.py",
    ".ci/run": "CI",
    "helm": "the chart: tests/contract/test_helm.py",
    "kafka-acls.sh": "held to deploy/kafka/acls.yaml below",
}
"""What sh blocks may call, and who holds that to the code."""


def example(containing: str) -> str:
    [found] = [body for body in EXAMPLES if containing in body]
    return found


def run(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(source, "an example", "exec"), names)  # noqa: S102  it is our own document
    return names


def test_no_example_is_left_unrun() -> None:
    kinds = ("with Client(", "UserFeature[", "-> Mask", "SOURCE =", "HttpClient(", "ADAPTERS[")
    assert sorted(example(kind) for kind in kinds) == sorted(EXAMPLES)


def test_no_other_block_is_unknown() -> None:
    found = Counter(
        (document, kind)
        for document in DOCUMENTS
        for kind, _ in fences(document)
        if kind not in {"python", "sh"}
    )
    assert found == {name: count for name, (count, _) in OTHERS.items()}
    assert all(is_fenced_only(document) for document in DOCUMENTS)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_shell_blocks_call_what_is_tested(document: str) -> None:
    for words in shell_calls(document):
        program = next(word for word in words if "=" not in word)
        assert program in PROGRAMS, f"{document}: {program}"


def test_the_client_example_runs_against_the_client_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = create_autospec(client.Client)
    shop = fake.return_value.__enter__.return_value
    shop.track.return_value = event("e1", "17850")
    item = lists.RankedItem("71053", 0.9, Source.COVISITED, "others took it with it")
    shop.recommendations.return_value.items = (item,)
    monkeypatch.setattr(client, "Client", fake)
    run(example("with Client("))
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


def test_the_http_example_tells_of_what_was_not_acknowledged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOP_API_KEY", "ms_a-key")
    fake = create_autospec(http.HttpClient)
    shop = fake.return_value.__enter__.return_value
    item = lists.RankedItem("71053", 0.9, Source.COVISITED, "others took it with it")
    shop.recommendations.return_value.items = (item,)
    monkeypatch.setattr(http, "HttpClient", fake)
    visit: Callable[[], None] = run(example("HttpClient("))["visit"]
    visit()
    assert capsys.readouterr().out == "71053 covisited\n"
    shop.flush.side_effect = client.DeliveryFailed("no answer", (event("e1", "ann"),))
    visit()
    fake.assert_called_with("https://reco.example", "ms_a-key")
    assert capsys.readouterr().out.endswith("to be sent again or looked at: 1\n")


def test_the_adapter_example_sends_what_maps_and_returns_what_is_faulty() -> None:
    shop = create_autospec(client.Client, instance=True)
    forward = run(example("ADAPTERS["))["forward"]
    recorded = (ROOT / "tests" / "golden" / "segment.jsonl").read_text().splitlines()
    faulty = [one for line in recorded for one in forward(shop, json.loads(line))]
    golden = (ROOT / "tests" / "golden" / "segment.golden.jsonl").read_text()
    sent = [call.args[0] for call in shop.track_nowait.call_args_list]
    assert sent[0] == "search"
    assert len(sent) == golden.count('"event_id"')
    assert faulty


def test_the_settings_of_variety_are_a_ranking_file(tmp_path: Path) -> None:
    [body] = blocks("docs/variety.md", "json")
    (tmp_path / "ranking.json").write_text(body)
    read = read_ranking(tmp_path / "ranking.json")
    assert {name: getattr(read, name) for name in json.loads(body)} == json.loads(body)
    assert read.digest() != RankingSettings().digest()


def test_the_ranking_settings_of_a_tenant_are_its_file(tmp_path: Path) -> None:
    [body] = blocks("docs/tenants.md", "json")
    (tmp_path / "other.json").write_text(body)
    own, said = read_rankings(None, tmp_path).of("other"), json.loads(body)
    assert (own.list_length, own.looked_at) == (said["list_length"], said["looked_at"])
    assert own.weights == RankingSettings().weights | said["weights"]


def test_the_experiment_between_versions_is_one_that_may_begin() -> None:
    [body] = blocks("docs/experiments.md", "json")
    terms = msgspec.json.decode(body, type=ExperimentTerms)
    check_terms(terms)
    assert [variant.model_version for variant in terms.variants] == [6, 7]


def test_the_rights_that_are_missing_are_told_in_these_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def missing(*_: object) -> list[str]:
        return ["Read on topic shop.catalog.v1", "..."]

    monkeypatch.setattr(rights, "missing_rights", missing)
    with pytest.raises(OperatorError) as raised:
        asyncio.run(require_rights("kafka:9093", Role({}, None), "storefront"))
    assert blocks("docs/security.md", "text") == [f"millstream: {raised.value}\n"]


def test_the_acl_example_gives_the_lake_what_it_reads() -> None:
    [(_, *words)] = [w for w in shell_calls("docs/security.md") if w[0] == "kafka-acls.sh"]
    topics = [word for before, word in pairwise(words) if before == "--topic"]
    role = yaml.safe_load((ROOT / "deploy" / "kafka" / "acls.yaml").read_text())["lake"]
    assert "User:lake" in words
    assert {f"staging.{topic}" for topic, of in role["topics"].items() if "Read" in of} == set(
        topics
    )
