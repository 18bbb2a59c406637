"""deploy/alerts and deploy/dashboards: about metrics that are told, and with a page for each."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from tests.documents import ROOT
from tests.metric_names import asked, unknown

from millstream.model.sentiment.manifest import MODEL as REVIEWS

RULES = ROOT / "deploy" / "alerts" / "millstream.rules.yaml"
DASHBOARD = ROOT / "deploy" / "dashboards" / "millstream.json"
RUNBOOKS = ROOT / "deploy" / "runbooks"
WIDTH = 24


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_asks_for_what_is_told_and_names_its_page(rule: dict[str, Any]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert asked(rule["expr"])
    assert unknown(rule["expr"]) == []
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "runbook"}
    assert (ROOT / rule["annotations"]["runbook"]).is_file(), rule["annotations"]["runbook"]


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"Millstream[A-Za-z]+", name) for name in names)


def test_every_runbook_is_named_by_an_alert_or_by_what_a_service_says() -> None:
    told = "".join(path.read_text() for path in (ROOT / "services").rglob("*.py"))
    linked = {rule["annotations"]["runbook"].rpartition("/")[2] for rule in alerts()}
    for page in RUNBOOKS.glob("*.md"):
        assert page.name in linked or page.name in told, page.name


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.name)
def test_a_runbook_says_what_is_seen_checked_done_and_lost(page: Any) -> None:
    text = page.read_text()
    for heading in ("**What you see", "**Why", "**What to do", "**What is lost"):
        assert heading in text, heading
    for name in re.findall(r"Millstream[A-Z][A-Za-z]+", text):
        assert name in {rule["alert"] for rule in alerts()}, name
    for path in re.findall(r"\b(?:deploy|docs)/[\w./-]+\.(?:md|yaml|acl)", text):
        assert (ROOT / path).is_file(), path


def test_a_panel_asks_for_what_is_told() -> None:
    for panel in panels():
        if panel["type"] == "row":
            continue
        assert panel["targets"], panel["title"]
        assert panel["description"], panel["title"]
        for target in panel["targets"]:
            assert asked(target["expr"]), panel["title"]
            assert unknown(target["expr"]) == [], panel["title"]
            assert target["datasource"]["uid"] == "${datasource}"


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not taken & cells, panel["title"]
        taken |= cells


def test_no_trainer_stands_in_for_another_models() -> None:
    """Both run as service `trainer`; only the label tells them apart."""
    by_name = {rule["alert"]: rule["expr"] for rule in alerts()}
    models = r'millstream_trainer_info\{model(!?=)"(\w+)"(?:,tenant!="")?\}'
    for alert, told in (("TrainerAway", "!="), ("ReviewTrainerAway", "=")):
        expr = by_name[f"Millstream{alert}"]
        assert asked(expr).keys() == {"millstream_trainer_info"}, alert
        assert set(re.findall(models, expr)) == {(told, REVIEWS)}, alert
        assert len(re.findall(models, expr)) == expr.count("millstream_trainer_info"), alert


def test_what_nobody_tells_is_found() -> None:
    assert unknown("rate(millstream_record_total[5m]) > 0") == ["millstream_record_total{}"]
    assert unknown('millstream_records_total{shopper="u1"}') == [
        "millstream_records_total{shopper}"
    ]
    with pytest.raises(ValueError, match=r"."):
        asked("sum(rate(millstream_records_total[5m])")


def test_the_guide_names_every_alert_beside_its_page() -> None:
    guide = (ROOT / "docs" / "operate.md").read_text()
    for rule in alerts():
        page = rule["annotations"]["runbook"]
        assert re.search(rf"`{rule['alert']}`.*\(\.\./{re.escape(page)}\)", guide), rule["alert"]
