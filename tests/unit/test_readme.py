"""What the documents name is there: paths, commands, settings, topics, and examples that run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from tests.builders import NOON_MS, event
from tests.documents import (
    DOCUMENTS,
    PACKAGE,
    ROOT,
    anchors,
    blocks,
    commands,
    links,
    quoted,
    tables,
    text_of,
)
from typer.core import TyperGroup
from typer.main import get_command

from millstream import client
from millstream.cli.app import app
from millstream.cli.variables import OTHERS, SETTINGS
from millstream.domain import lists
from millstream.domain.catalogue import CatalogueItem
from millstream.domain.clock import as_datetime
from millstream.domain.events import EventType
from millstream.domain.lists import Source
from millstream.features import state
from millstream.features.recent_items import Touch
from millstream.features.replayed import ReplayedShopper
from millstream.local import online_retail
from millstream.ranking.candidates.source import Context
from millstream.ranking.replayed_shop import ReplayedShop
from millstream.ranking.score import Scored
from millstream.ranking.settings import RankingSettings
from millstream.ranking.shop import Candidate, Shopper
from millstream.settings import variable
from millstream.streaming.topics import read_topics

# A path has a folder or a known ending, and none of the signs of code, keys and patterns.
_PATH = re.compile(r"^\.?[\w.-]+(/[\w.-]+)*/?$")
_ENDINGS = (".py", ".lua", ".yaml", ".yml", ".md", ".xml", ".json", ".lock", ".toml", "/")
_MADE_LATER = {".venv/", "build/", ".venv/bin/millstream"}


def paths_in(document: str) -> list[str]:
    named = [
        text
        for text in quoted(document)
        if _PATH.match(text) and (text.endswith(_ENDINGS) or text.startswith((".ci/", "tests/")))
    ]
    return [path for path in named if path not in _MADE_LATER]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_that_a_document_names_exists(document: str) -> None:
    roots = (ROOT, PACKAGE, (ROOT / document).parent)
    gone = [path for path in paths_in(document) if not any((r / path).exists() for r in roots)]
    assert not gone, f"{document} names what is not there: {gone}"


def test_paths_are_looked_for_at_all() -> None:
    assert {"deploy/topics.yaml", "recommender/pipeline.py", "schemas/"} <= set(
        paths_in("README.md")
    )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_somewhere(document: str) -> None:
    for target in links(document):
        path, _, anchor = target.partition("#")
        linked = (ROOT / document).parent / path if path else ROOT / document
        assert linked.exists(), f"{document} links to {path}"
        if anchor:
            assert anchor in anchors(str(linked.relative_to(ROOT))), f"{document}: #{anchor}"


def folders_of_the_package() -> set[str]:
    return {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")}


def test_readme_shows_every_folder_of_the_package() -> None:
    [diagram] = blocks("README.md", "mermaid")
    shown = set(re.findall(r'\["(\w+/)<br/>', diagram))
    shared = {row[0].strip("`") for table in tables("README.md") for row in table}
    assert folders_of_the_package() == shown | (shared & folders_of_the_package())
    assert shown <= folders_of_the_package()


# ------------------------------------------------------------------------------- settings


def shown(default: object) -> str:
    """A default as the table writes it."""
    if default is None:
        return "unset"
    if default == "":
        return "empty"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, frozenset):
        return "`[" + ", ".join(f'"{name}"' for name in sorted(default)) + "]`"
    return f"`{default}`"


def settings_in_code() -> dict[str, str]:
    found = dict.fromkeys(OTHERS, "unset")
    for kind in SETTINGS:
        for name, field in kind.model_fields.items():
            found[variable(kind, name)] = shown(field.default)
    return found


def settings_in_readme() -> Iterator[tuple[str, str, str]]:
    for heading, *rows in tables("README.md"):
        if heading == ["variable", "default", "meaning"]:
            for name, default, meaning in rows:
                yield name.strip("`"), default, meaning


def test_the_table_of_settings_is_that_of_the_settings_classes() -> None:
    table = list(settings_in_readme())
    assert {name: default for name, default, _ in table} == settings_in_code()
    assert len({name for name, _, _ in table}) == len(table), "a variable stands there twice"
    assert all(meaning for _, _, meaning in table)


# ------------------------------------------------------------------------------- commands


def _known_options(words: list[str]) -> set[str]:
    """The options of the command that the words name; fails where there is no such command."""
    found = get_command(app)
    while isinstance(found, TyperGroup) and words and not words[0].startswith("-"):
        assert words[0] in found.commands, f"no command `{words[0]}` in `{found.name}`"
        found, words = found.commands[words[0]], words[1:]
    return {"--help"}.union(*(parameter.opts for parameter in found.params))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_and_option_that_a_document_names_exists(document: str) -> None:
    for call in commands(document, "millstream"):
        options = {word for word in call if word.startswith("--")}
        assert options <= _known_options(call), f"`millstream {' '.join(call)}` in {document}"


def test_readme_names_every_command() -> None:
    named = {
        word for call in commands("README.md", "millstream") for word in call[:1] if word[0] != "-"
    }
    top = get_command(app)
    assert isinstance(top, TyperGroup)
    assert named == top.commands.keys() - {"kafka", "schemas"}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_target_that_a_document_names_exists(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {call[0] for call in commands(document, "make")} <= targets


# --------------------------------------------------------------------------------- topics


def test_the_table_of_topics_is_that_of_the_topics_file() -> None:
    [(_, *rows)] = [t for t in tables("README.md") if t[0][:2] == ["topic", "key"]]
    written = {
        spec.name: [
            f"`{spec.name}`",
            spec.key,
            ", ".join(spec.cleanup_policy),
            "" if spec.retention_days is None else f"{spec.retention_days:g} days",
        ]
        for spec in read_topics()
    }
    assert {row[0].strip("`"): row for row in rows} == written
    assert {spec.partitions for spec in read_topics()} == {12}
    assert "12 partitions each" in text_of("README.md")


def test_event_types_are_all_named() -> None:
    assert [kind for kind in EventType if kind not in text_of("README.md")] == []


# --------------------------------------------------------------------------------- the demo


def _words(text: str) -> str:
    return " ".join(text.replace(">", " ").split())


def test_readme_quotes_the_rule_of_the_simulated_events() -> None:
    rule = (online_retail.browse_events.__doc__ or "").partition("\n\n")[2]
    assert rule
    assert _words(rule) in _words(text_of("README.md"))


@pytest.mark.parametrize("name", ["demo-summary", "replay", "takeover", "bench-ingest"])
def test_measured_blocks_can_be_filled(name: str) -> None:
    text = text_of("README.md")
    assert text.count(f"<!-- {name} -->") == text.count(f"<!-- /{name} -->") == 1
    assert text.index(f"<!-- {name} -->") < text.index(f"<!-- /{name} -->")


# --------------------------------------------------------------------------------- examples


def example(containing: str) -> str:
    [found] = [body for body in blocks("README.md", "python") if containing in body]
    return found


def run(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(source, "README.md", "exec"), names)  # noqa: S102  it is our own document
    return names


def test_no_example_is_left_unrun() -> None:
    kinds = ("import Client", "UserFeature[", "-> Keeps", "SOURCE =")
    assert sorted(example(kind) for kind in kinds) == sorted(blocks("README.md", "python"))


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
    monkeypatch.setattr("millstream.features.replayed.USER_FEATURES", features)
    monkeypatch.setitem(state._PLACE, feature.name, len(features) - 1)
    shopper = ReplayedShopper()
    before_it = shopper.state()
    shopper.apply(event("e1", "ann", "i1", kind=EventType.ADD_TO_WISHLIST))
    shopper.apply(event("e2", "ann", "i1", kind=EventType.VIEW_ITEM))
    assert before_it.read(feature, NOON_MS) == 0
    assert shopper.state().read(feature, NOON_MS) == 1


def test_the_rule_example_takes_out_what_has_no_price() -> None:
    rule = run(example("-> Keeps"))
    priced = {"a": 1.0, "b": None}
    catalogue = {
        name: CatalogueItem(item_id=name, added_at=as_datetime(NOON_MS), price=price)
        for name, price in priced.items()
    }
    keep = rule["keeps"](Shopper("default", "ann"), ReplayedShop(catalogue), RankingSettings())
    kept = [i for i in ("a", "b", "c") if keep(Scored(i, 1.0, Candidate(i, Source.NEW, 1.0)))]
    assert kept == ["a", "c"]
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
    [proposed] = source["propose"]([Shopper("default", "ann", touched)], context)
    assert [candidate.item_id for candidate in proposed] == ["a"]


# --------------------------------------------------------------------------------- the tree


def test_ci_runs_the_commands_that_people_type() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert Path(ROOT / ".ci" / "run").stat().st_mode & 0o111
    targets = re.findall(r"^step make \S+ (\w+)$", script, re.MULTILINE)
    assert targets == ["kafka", "check", "test"]
    assert "MILLSTREAM_REQUIRE_LIVE=1" in script
