"""What the documents name is there: paths, commands, settings, topics, figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from typing import Any

import pytest
from benchmarks import quality_table
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
from tests.needed import VARIABLE, not_here
from typer.core import TyperGroup
from typer.main import get_command

from millstream.cli.app import app
from millstream.cli.variables import OTHERS, SETTINGS
from millstream.domain.events import EventType
from millstream.local import online_retail
from millstream.local.summary import InsightsSummary, Summary
from millstream.local.takeover import Takeover
from millstream.settings import variable
from millstream.settings.event_weights import write_weights
from millstream.streaming.topics import read_topics

# A path has a folder or a known ending, and none of the signs of code, keys and patterns.
_PATH = re.compile(r"^\.?[\w.-]+(/[\w.-]+)*/?$")
_ENDINGS = (".py", ".lua", ".yaml", ".yml", ".md", ".xml", ".json", ".lock", ".toml", "/")
_MADE_LATER = {".venv/", "build/", ".venv/bin/millstream", "run/api-keys.json"}


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
    if isinstance(default, frozenset | tuple):
        names = sorted(default) if isinstance(default, frozenset) else default
        return "`[" + ", ".join(f'"{name}"' for name in names) + "]`"
    if isinstance(default, dict):
        return f"`{write_weights(default)}`"
    return f"`{default}`"


def settings_in_code() -> dict[str, str]:
    found = dict.fromkeys(OTHERS, "unset")
    for kind in SETTINGS:
        for name, field in kind.model_fields.items():
            found[variable(kind, name)] = shown(field.default)
    return found


def settings_in_docs() -> Iterator[tuple[str, str, str]]:
    for heading, *rows in tables("docs/settings.md"):
        if heading == ["variable", "default", "meaning"]:
            for name, default, meaning in rows:
                yield name.strip("`"), default, meaning


def test_the_table_of_settings_is_that_of_the_settings_classes() -> None:
    table = list(settings_in_docs())
    assert {name: default for name, default, _ in table} == settings_in_code()
    assert len({name for name, _, _ in table}) == len(table), "a variable stands there twice"
    assert all(meaning for _, _, meaning in table)


# ------------------------------------------------------------------------------- commands


@cache  # typer reads the signatures of all commands each time
def _top() -> TyperGroup:
    top = get_command(app)
    assert isinstance(top, TyperGroup)
    return top


def _known_options(words: list[str]) -> set[str]:
    """The options of the command that the words name; fails where there is no such command."""
    found: Any = _top()
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
    assert named == _top().commands.keys() - {"kafka", "schemas"}


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


def keys_of(result: type) -> set[str]:
    return {field.name for field in fields(result)}


def _words(text: str) -> str:
    return " ".join(text.replace(">", " ").split())


def test_readme_quotes_the_rule_of_the_simulated_events() -> None:
    rule = (online_retail.browse_events.__doc__ or "").partition("\n\n")[2]
    assert rule
    assert _words(rule) in _words(text_of("README.md"))


MEASURED: dict[str, tuple[set[str], dict[str, float]]] = {
    "demo-summary": (
        keys_of(InsightsSummary),
        {"accepted": 20_000, "lists": 1000, "models_promoted": 2},
    ),
    "replay": (keys_of(Summary), {"accepted": 90_000, "lists": 2174}),
    "takeover": (keys_of(Takeover), {"accepted": 10_000}),
    "bench-ingest": (
        {"broker", "faust_events_per_s", "bare_events_per_s", "bare_cpu_us_per_event", "ratio"},
        {"ratio": 0.6},
    ),
}
"""Block -> what the command prints, and the least that is promised of it."""


@pytest.mark.parametrize("name", MEASURED)
def test_what_readme_says_was_measured_is_what_the_command_prints(name: str) -> None:
    text = text_of("README.md")
    body = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
    found = re.fullmatch(r"\s*```json\n(.*)```\s*", body, re.DOTALL)
    assert found, f"README.md, {name}: run the command and put its object here, in a json block"
    printed = json.loads(found[1])
    keys, least = MEASURED[name]
    assert keys <= printed.keys(), f"the command prints {keys - printed.keys()} too: run it again"
    assert {key: printed[key] for key in least if printed[key] < least[key]} == {}
    assert printed.get("lost", 0) == printed.get("doubled", 0) == 0
    assert printed.get("recall_over_popularity", 2) > 1
    assert printed.get("event_to_list_p99_ms", 0) <= 1000 or name == "replay"
    assert printed.get("takeover_s", 0) <= 30


def test_each_figure_of_quality_has_what_made_it() -> None:
    text = text_of("README.md")
    block = text.partition("<!-- quality -->\n")[2].partition("<!-- /quality -->")[0]
    assert block == quality_table.table(), "run `python -m benchmarks.quality_table`"


def test_no_result_of_quality_is_left_out_of_the_table() -> None:
    made_by = {
        path.stem: json.loads(path.read_text()).get("command", "")
        for path in quality_table.RESULTS.glob("*.json")
    }
    quality = re.compile(r"millstream (evaluate|verify|tune) ")
    assert {name for name, how in made_by.items() if quality.match(how)} <= {*quality_table.NAMES}


def test_what_a_result_does_not_tell_is_not_made_up() -> None:
    row = quality_table.row("old", {"command": "millstream evaluate networks --json"})
    assert row[2:] == ("-", "-", "-")
    told = {"command": "c", "seed": [1, 2], "cpu_minutes": 1.5, "peak_gib": 0.5}
    assert quality_table.row("new", told)[2:] == ("1, 2", "1.5", "0.5")
    assert quality_table.row("sure", told | {"seed": []})[2] == "no chance in it"


# --------------------------------------------------------------------------------- the tree


def test_ci_runs_the_commands_that_people_type() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    targets = re.findall(r"^step make \S+ (\w+)$", script, re.MULTILINE)
    assert targets == ["kafka", "check", "test"]
    assert f"export {VARIABLE}=1" in script
    for program in ("java", "mvn", "redis-server", "chromium", "node", "npm"):
        assert f"command -v {program} >/dev/null || missing+=(" in script, program


def test_what_a_test_lacks_is_told_and_in_ci_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        not_here("no browser")
    monkeypatch.setenv(VARIABLE, "1")
    with pytest.raises(pytest.fail.Exception, match=f"{VARIABLE}=1, but no browser"):
        not_here("no browser")
