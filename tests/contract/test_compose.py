"""docker-compose.yml and the image: valid by the Compose specification, and about this code."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from tests.documents import ROOT
from typer.core import TyperGroup
from typer.main import get_command

from millstream.cli.app import app
from millstream.cli.variables import checked, known
from millstream.gateway.settings import GatewaySettings
from millstream.local.kafka_jars import KAFKA_VERSION
from millstream.model.sentiment.manifest import MODEL as REVIEWS
from millstream.settings import load
from millstream.streaming.topics import EVENTS, read_topics, topic_config, topics_path

IMAGE_VARIABLES = {
    "MODEL_STORE",
    "MILLSTREAM_LAKE_DIR",
    "MILLSTREAM_KEYS_DIR",
    "MILLSTREAM_PUBLIC_KEYS_DIR",
    "MILLSTREAM_PSEUDONYM_KEYS_DIR",
}
Compose = dict[str, Any]
BESIDES = {"/var/lib/millstream/reverse", "/var/lib/millstream/letter-keys"}
"""Of no default in the image: a table or a key of its own is kept only where one is asked for."""
OPENTELEMETRY = {"OTEL_EXPORTER_OTLP_ENDPOINT"}
PASSWORDS = "/run/secrets/millstream"


@pytest.fixture
def compose() -> Compose:
    loaded: Compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


@pytest.fixture
def dockerfile() -> str:
    return (ROOT / "deploy" / "Dockerfile").read_text()


def parse(compose: Compose) -> PyCompose:
    """Raises ValueError for what the specification does not have."""
    return PyCompose.from_json(json.dumps(compose))


def ours(compose: Compose) -> Compose:
    """The services that run our image."""
    return {n: s for n, s in compose["services"].items() if s["image"].startswith("millstream:")}


def mounts(service: Compose) -> dict[str, str]:
    """Volume, or file of ours, -> folder, with the mode where one is given."""
    return dict(volume.split(":", 1) for volume in service.get("volumes", ()))


def volumes(service: Compose) -> dict[str, str]:
    """Without files of ours."""
    return {name: path for name, path in mounts(service).items() if not name.startswith(".")}


def test_the_file_is_valid_by_the_specification(compose: Compose) -> None:
    parsed = parse(compose)
    assert set(parsed.service_names()) == {
        *("kafka", "passwords", "valkey", "init", "recommender", "lake", "trainer", "gateway"),
        *("attribution", "insights", "review-trainer"),
        *("prometheus", "grafana"),
    }


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.update(servces={}),
        lambda c: c["services"]["kafka"].update(imagee="x"),
        lambda c: c["services"]["kafka"].update(restart="sometimes"),
        lambda c: c["services"]["kafka"]["healthcheck"].update(intervall="3s"),
        lambda c: c["services"]["lake"]["depends_on"]["init"].update(condition="healthy"),
    ],
)
def test_the_specification_refuses_what_is_misspelt(
    compose: Compose, spoil: Callable[[Compose], None]
) -> None:
    spoilt = deepcopy(compose)  # anchors make several services one object
    spoil(spoilt)
    with pytest.raises(ValueError, match="line 1 column"):
        parse(spoilt)


def test_every_volume_and_service_that_is_named_is_declared(compose: Compose) -> None:
    services = compose["services"]
    used = {volume for service in services.values() for volume in volumes(service)}
    assert used == compose["volumes"].keys()
    files = {file for service in services.values() for file in mounts(service)} - used
    assert files
    assert all((ROOT / file).exists() for file in files), files
    waited_for = {name for service in services.values() for name in service.get("depends_on", ())}
    assert waited_for <= services.keys()
    for service in services.values():
        waits = service.get("depends_on", {})
        for name, wait in waits.items() if isinstance(waits, dict) else ():
            if wait["condition"] == "service_healthy":
                assert not services[name]["healthcheck"].get("disable")


def test_our_services_are_commands_of_millstream(compose: Compose) -> None:
    top = get_command(app)
    assert isinstance(top, TyperGroup)
    for name, service in ours(compose).items():
        command = "trainer" if name == "review-trainer" else name
        assert service["command"] == [command]
        assert command in top.commands


def test_each_trainer_has_a_model_of_its_own(compose: Compose) -> None:
    models = [
        service["environment"].get("MILLSTREAM_MODEL_NAME")
        for service in ours(compose).values()
        if service["command"] == ["trainer"]
    ]
    assert models == [None, REVIEWS]


def test_variables_are_settings(compose: Compose, dockerfile: str) -> None:
    for service in ours(compose).values():
        assert service["environment"].keys() <= known() | OPENTELEMETRY
    in_image = set(re.findall(r"\b(M[A-Z_]+)=/", dockerfile))
    assert in_image == IMAGE_VARIABLES
    assert in_image <= known()


def test_folders_of_the_image_are_volumes(compose: Compose, dockerfile: str) -> None:
    folders = set(re.findall(r"\bM[A-Z_]+=(/\S+)", dockerfile))
    mounted = {
        path.partition(":")[0] for s in ours(compose).values() for path in mounts(s).values()
    } - {PASSWORDS}
    assert mounted == folders | BESIDES
    [made] = re.findall(r"install -d -o millstream ((?:.*\\\n)*.*)", dockerfile)
    assert set(re.findall(r"/[\w/-]+", made)) == folders | BESIDES


def test_each_service_may_write_only_what_it_makes(compose: Compose) -> None:
    writable = {
        name: {volume for volume, path in mounts(service).items() if not path.endswith(":ro")}
        for name, service in ours(compose).items()
    }
    assert writable == {
        "init": {"keys", "public-keys", "letter-keys"},
        "recommender": set(),
        "lake": {"lake"},
        "trainer": {"models"},
        "review-trainer": {"models"},
        "gateway": {"pseudonym-keys", "reverse"},
        "attribution": set(),
        "insights": set(),
    }


def test_only_init_and_the_trainers_can_read_the_private_key(
    compose: Compose, dockerfile: str
) -> None:
    folders = dict(re.findall(r"\b(M[A-Z_]+)=(/\S+)", dockerfile))
    services = {name: mounts(service) for name, service in ours(compose).items()}
    signing = {name for name, mounted in services.items() if "keys" in mounted}
    assert signing == {"init", "trainer", "review-trainer"}
    assert services["init"]["public-keys"] == folders["MILLSTREAM_PUBLIC_KEYS_DIR"]
    public = services["recommender"]["public-keys"]
    assert public == f"{folders['MILLSTREAM_KEYS_DIR']}:ro", "where a recommender looks for it"


def test_the_broker_is_the_tested_one_and_makes_no_topics_itself(compose: Compose) -> None:
    kafka = compose["services"]["kafka"]
    assert kafka["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert kafka["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    port = compose["services"]["init"]["environment"]["KAFKA_BOOTSTRAP_SERVERS"]
    assert f"INTERNAL://{port}" in kafka["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert all(published.startswith("127.0.0.1:") for published in kafka["ports"])


def test_the_log_of_events_has_the_brokers_clock(compose: Compose) -> None:
    assert compose["services"]["init"]["command"] == ["init"], "not the topics of a replay"
    [events] = [spec for spec in read_topics() if spec.name == EVENTS]
    assert topic_config(events, replay=False)["message.timestamp.type"] == "LogAppendTime"


def test_the_store_never_forgets_and_keeps_a_file(compose: Compose) -> None:
    command = compose["services"]["valkey"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--maxmemory-policy"] == "noeviction"
    assert options["--appendonly"] == "yes"


def test_the_image_is_locked_has_what_it_needs_and_is_not_root(dockerfile: str) -> None:
    assert "--require-hashes -r requirements.lock" in dockerfile
    assert re.findall(r"^USER (\w+)$", dockerfile, re.MULTILINE) == ["millstream"]
    copied = [
        name for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.M) for name in line.split()
    ]
    assert all((ROOT / name).exists() for name in copied)
    assert str(topics_path().relative_to(ROOT)) in copied
    ignore = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in ignore if line.startswith("!")} == set(copied)


def test_who_is_behind_a_pseudonym_only_the_gateway_can_tell(compose: Compose) -> None:
    services = {name: mounts(service) for name, service in ours(compose).items()}
    for volume in ("pseudonym-keys", "reverse"):
        assert {name for name, held in services.items() if volume in held} == {"gateway"}
    gateway = compose["services"]["gateway"]["environment"]
    table, key = (Path(gateway[f"MILLSTREAM_REVERSE_{name}"]) for name in ("TABLE", "MASTER_KEY"))
    assert str(table.parent) == services["gateway"]["reverse"]
    assert str(key.parent) == services["gateway"]["pseudonym-keys"], "not beside the table"
    assert "keys" not in services["gateway"], "who can read the private key can sign models"


def test_the_gateway_signs_letters_with_a_key_that_signs_nothing_else(compose: Compose) -> None:
    services = {name: mounts(service) for name, service in ours(compose).items()}
    assert {name for name, held in services.items() if "letter-keys" in held} == {"init", "gateway"}
    folder = services["init"]["letter-keys"]
    assert services["gateway"]["letter-keys"] == f"{folder}:ro"
    for name in ("init", "gateway"):
        assert ours(compose)[name]["environment"]["MILLSTREAM_LETTER_KEYS_DIR"] == folder


def test_the_gateway_has_what_an_erasure_is_proven_by(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway, lake = compose["services"]["gateway"], compose["services"]["lake"]
    assert mounts(gateway)["lake"] == f"{mounts(lake)['lake']}:ro"
    for name, value in gateway["environment"].items():
        if name != "REDIS_PASSWORD_FILE":
            monkeypatch.setenv(name, re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value)))
    settings = checked(GatewaySettings)
    assert settings.gateway_lake
    assert settings.reverse_table is not None
    assert settings.reverse_master_key is not None


def test_the_gateway_listens_where_its_port_is_published_and_asked(compose: Compose) -> None:
    gateway = compose["services"]["gateway"]
    port = load(GatewaySettings).gateway_port
    assert gateway["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert gateway["environment"]["MILLSTREAM_GATEWAY_HOST"] == "0.0.0.0"  # noqa: S104
    assert f"127.0.0.1:{port}/readyz" in gateway["healthcheck"]["test"][-1]


def test_each_service_has_its_own_user_of_redis_and_sees_no_other_password(
    compose: Compose,
) -> None:
    users = {
        name: service["environment"].get("REDIS_USERNAME")
        for name, service in ours(compose).items()
    }
    assert users == {
        "init": "operator",
        "recommender": "recommender",
        "lake": None,  # it does not speak to Redis
        "trainer": "trainer",
        "review-trainer": "trainer",
        "gateway": "gateway",
        "attribution": "attribution",
        "insights": "insights",
    }
    for name, user in users.items():
        service = ours(compose)[name]
        seen = {v for v in mounts(service) if v.endswith("-password")}
        assert seen == ({f"{user}-password"} if user else set()), name
        if user:
            assert mounts(service)[f"{user}-password"] == f"{PASSWORDS}:ro"
            assert service["environment"]["REDIS_PASSWORD_FILE"] == f"{PASSWORDS}/redis"


def test_the_users_of_redis_are_those_of_our_file(compose: Compose, tmp_path: Path) -> None:
    """What the containers run is run here: passwords are made, and their hashes put in place."""
    passwords, valkey = compose["services"]["passwords"], compose["services"]["valkey"]
    made = [path.partition(":")[0] for path in mounts(passwords).values()]
    shown = [path for path in mounts(valkey).values() if path.startswith("/run/passwords/")]
    assert [f"{path}:ro" for path in made] == shown
    for folder in made:
        (tmp_path / folder.removeprefix("/run/passwords/")).mkdir()
    run_script(passwords["command"][0], tmp_path)
    rendered = run_script(valkey["entrypoint"][2].partition("exec")[0], tmp_path)
    lines = (tmp_path / "users.acl").read_text().splitlines()
    names = {line.split()[1] for line in lines}
    assert names == {"default", *(folder.rpartition("/")[2] for folder in made)}
    assert rendered == ""
    for line in lines:
        _, name, state, *rules = line.split()
        if name == "default":
            assert state == "off"
            continue
        password = (tmp_path / name / "redis").read_text().strip()
        assert rules[0] == f"#{hashlib.sha256(password.encode()).hexdigest()}"
        assert len(password) >= 32
    (tmp_path / "trainer" / "redis").write_text("")
    with pytest.raises(subprocess.CalledProcessError):
        run_script(valkey["entrypoint"][2].partition("exec")[0], tmp_path)


def run_script(script: str, folder: Path) -> str:
    """With the containers' folders elsewhere; what it printed."""
    here = (
        script.replace("$$", "$")
        .replace("/run/passwords", str(folder))
        .replace("/etc/millstream", str(ROOT / "deploy" / "redis"))
        .replace("/run/users.acl", str(folder / "users.acl"))
    )
    return subprocess.run(
        ["sh", "-ec", here], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_prometheus_asks_every_service_where_it_tells_and_knows_the_alerts(
    compose: Compose,
) -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    [found] = [one for job in config["scrape_configs"] for one in job["dns_sd_configs"]]
    running = {name for name in ours(compose) if name != "init"}
    assert set(found["names"]) == running
    for name in running:
        variables = ours(compose)[name]["environment"]
        assert variables["MILLSTREAM_METRICS_PORT"] == found["port"]
        assert variables["MILLSTREAM_METRICS_HOST"] == "0.0.0.0"  # noqa: S104
        assert "ports" not in ours(compose)[name] or name == "gateway", "metrics are not published"
    mounted = mounts(compose["services"]["prometheus"])
    assert mounted["./deploy/alerts"] == f"{Path(config['rule_files'][0]).parent}:ro"


def test_grafana_has_the_dashboard_and_is_seen_on_this_machine_alone(compose: Compose) -> None:
    grafana = compose["services"]["grafana"]
    mounted = mounts(grafana)
    [provider] = yaml.safe_load((ROOT / "deploy" / "grafana" / "dashboards.yaml").read_text())[
        "providers"
    ]
    folder = mounted["./deploy/dashboards"].removesuffix(":ro")
    assert provider["options"]["path"] == folder
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "deploy" / "dashboards" / Path(home).name).is_file()
    [source] = yaml.safe_load((ROOT / "deploy" / "grafana" / "datasource.yaml").read_text())[
        "datasources"
    ]
    assert source["url"] == "http://prometheus:9090"
    for name in ("grafana", "prometheus"):
        assert all(p.startswith("127.0.0.1:") for p in compose["services"][name]["ports"])
