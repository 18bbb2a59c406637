"""The chart's ranking settings reach who makes lists, as files that it reads."""

from __future__ import annotations

from pathlib import Path

import yaml
from tests.golden.rendered_chart import CHART, Resource, kept, of, pods

from millstream.ranking.rankings import Rankings, read_rankings

MOUNTED = "/etc/millstream/ranking"


def mounted(pod: Resource, held: dict[str, str], folder: Path) -> Rankings:
    """As the pod's service reads them: `held` is the ConfigMap, `folder` where it is mounted."""
    [container] = pod["spec"]["containers"]
    [volume] = (v["configMap"] for v in pod["spec"]["volumes"] if v["name"] == "ranking")
    assert [m["mountPath"] for m in container["volumeMounts"] if m["name"] == "ranking"] == [
        MOUNTED
    ]
    for item in volume["items"]:
        path = folder / item["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(held[item["key"]])
    given = {one["name"]: one.get("value", "") for one in container["env"]}
    file, tenants = (
        folder / Path(given[f"MILLSTREAM_RANKING_{what}"]).relative_to(MOUNTED)
        for what in ("FILE", "DIR")
    )
    return read_rankings(file, tenants)


def test_who_makes_lists_reads_what_the_values_say(tmp_path: Path) -> None:
    said = yaml.safe_load((CHART / "ci" / "all-values.yaml").read_text())["ranking"]
    everything = kept("all")
    [held] = (one["data"] for one in of(everything, "ConfigMap") if "ranking.json" in one["data"])
    reading = set()
    for component, pod in pods(everything).items():
        if "MILLSTREAM_RANKING" in str(pod):
            reading.add(component)
            found = mounted(pod, held, tmp_path / component)
            shared, own = found.of("anybody"), found.of("other-shop")
            assert {"variety": shared.variety, "explore_place": shared.explore_place} == said[
                "shared"
            ]
            assert own.looked_at == said["tenants"]["other-shop"]["looked_at"] != shared.looked_at
            assert own.variety == shared.variety
            assert "millstream/ranking" in pod["metadata"]["annotations"], "a change starts it anew"
    assert reading == {"recommender", "gateway", "trainer"}


def test_where_nothing_is_said_nothing_is_mounted() -> None:
    assert "ranking" not in str(kept("least"))
