"""deploy/helm: rendered by helm, valid by the schemas of Kubernetes, KEDA and Prometheus' operator,
and about this code: its commands, settings, ports, topics and secrets."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from tests.documents import ROOT, blocks
from tests.go_tools import DEFINITIONS, Missing, definitions, helm_program
from typer.core import TyperGroup
from typer.main import get_command

from millstream.cli.app import app
from millstream.cli.variables import checked, known
from millstream.gateway.settings import GatewaySettings
from millstream.insights.settings import InsightsSettings
from millstream.lake.settings import LakeSettings
from millstream.model.signing import (
    PRIVATE_NAME,
    PUBLIC_NAME,
    create_keys,
    load_private_key,
    load_public_key,
)
from millstream.privacy.key_files import newest, rotate
from millstream.recommender.settings import RecommenderSettings
from millstream.settings import ConnectionSettings, load
from millstream.streaming.topics import EVENTS, read_topics
from millstream.trainer.settings import TrainerSettings

CHART = ROOT / "deploy" / "helm" / "millstream"
KUBERNETES = ("1.28", "1.34")
CASES = ("least", "all", "open")
KINDS: dict[str, type[ConnectionSettings]] = {
    "init": ConnectionSettings,
    "recommender": RecommenderSettings,
    "lake": LakeSettings,
    "trainer": TrainerSettings,
    "gateway": GatewaySettings,
    "attribution": ConnectionSettings,
    "insights": InsightsSettings,
}
Resource = dict[str, Any]


@pytest.fixture(scope="session")
def helm() -> Path:
    """Built by `make helm`; else the test says how to have it."""
    try:
        return helm_program(build=False)
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def schemas(helm: Path) -> dict[tuple[str, str], Any]:
    """By apiVersion and kind, of resources that Kubernetes itself does not have; closed, so that a
    misspelt field is found."""
    found = {}
    for module in DEFINITIONS:
        for file in definitions(module):
            told = yaml.safe_load(file.read_text())
            for version in told["spec"]["versions"]:
                name = f"{told['spec']['group']}/{version['name']}", told["spec"]["names"]["kind"]
                found[name] = closed(version["schema"]["openAPIV3Schema"])
    return found


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
        if schema["properties"].get("metadata") == {"type": "object"}:
            made["properties"]["metadata"] = {"type": "object"}
    return made


def rendered(helm: Path, *words: str, version: str = KUBERNETES[-1]) -> list[Resource]:
    done = run(helm, "template", "shop", str(CHART), f"--kube-version={version}", *words)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def run(helm: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(helm), *words], capture_output=True, text=True, check=False, timeout=120
    )


def values(case: str) -> str:
    return f"--values={CHART / 'ci' / f'{case}-values.yaml'}"


@pytest.fixture(scope="session", params=CASES)
def resources(helm: Path, request: pytest.FixtureRequest) -> list[Resource]:
    return rendered(helm, values(request.param))


@pytest.fixture(scope="session")
def everything(helm: Path) -> list[Resource]:
    return rendered(helm, values("all"))


def of(resources: list[Resource], kind: str) -> list[Resource]:
    return [one for one in resources if one["kind"] == kind]


def pods(resources: list[Resource]) -> dict[str, Resource]:
    """By component, the template of its pod."""
    found = {}
    for one in resources:
        spec = one.get("spec", {})
        inner = spec.get("jobTemplate", {}).get("spec", spec) if one["kind"] == "CronJob" else spec
        if one["kind"] in {"Deployment", "Job", "CronJob"}:
            found[one["metadata"]["labels"]["app.kubernetes.io/component"]] = inner["template"]
    return found


def test_a_second_tenant_is_a_release_of_trainer_and_insights(helm: Path, tmp_path: Path) -> None:
    """As docs/tenants.md has it, beside a first release called shop."""
    [second] = blocks("docs/tenants.md", "yaml")
    (tmp_path / "second.yaml").write_text(second)
    shop = rendered(helm, values("least"))
    made = rendered(helm, values("least"), f"--values={tmp_path / 'second.yaml'}")
    counts = {
        one["metadata"]["name"]: one["spec"].get("replicas", 1)
        for one in made
        if one["kind"] in {"Deployment", "Job", "CronJob"}
    }
    assert counts == {"shop-recommender": 0, "shop-trainer": 1, "shop-insights": 1}
    assert not of(made, "PersistentVolumeClaim")
    claims = {one["metadata"]["name"] for one in of(shop, "PersistentVolumeClaim")}
    for role in ("trainer", "insights"):
        pod = pods(made)[role]["spec"]
        told = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
        assert told["MILLSTREAM_TENANT"] == "other"
        used = {
            v["persistentVolumeClaim"]["claimName"]
            for v in pod["volumes"]
            if "persistentVolumeClaim" in v
        }
        assert used == claims == {"shop-lake", "shop-models"}


@pytest.mark.parametrize("case", CASES)
def test_helm_finds_nothing_to_complain_of(helm: Path, case: str) -> None:
    done = run(helm, "lint", "--strict", str(CHART), values(case))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("case", CASES)
def test_resources_are_valid_by_their_schemas(
    helm: Path, schemas: dict[tuple[str, str], Any], case: str, version: str
) -> None:
    for one in rendered(helm, values(case), version=version):
        validate(one, schemas, version)


def validate(one: Resource, schemas: dict[tuple[str, str], Any], version: str) -> None:
    """Raises jsonschema.ValidationError; KeyError for a kind that nobody defines."""
    name = one["apiVersion"], one["kind"]
    if name in schemas:
        jsonschema.Draft202012Validator(schemas[name]).validate(one)
    else:
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("Deployment", lambda one: one["spec"].update(replicaz=3)),
        ("CronJob", lambda one: one["spec"].update(concurrencyPolicy=1)),
        ("ScaledObject", lambda one: one["spec"].update(minReplicas=1)),
        ("TriggerAuthentication", lambda one: one["spec"]["secretTargetRef"][0].pop("name")),
        ("ServiceMonitor", lambda one: one["spec"]["endpoints"][0].update(intervall="1s")),
        ("PrometheusRule", lambda one: one["spec"]["groups"][0]["rules"][0].pop("expr")),
    ],
)
def test_what_is_misspelt_is_refused(
    everything: list[Resource],
    schemas: dict[tuple[str, str], Any],
    kind: str,
    spoil: Callable[[Resource], object],
) -> None:
    spoilt = deepcopy(of(everything, kind)[0])
    spoil(spoilt)
    with pytest.raises(jsonschema.ValidationError):
        validate(spoilt, schemas, KUBERNETES[-1])


@pytest.mark.parametrize(
    "left_out",
    [
        *("kafka.bootstrapServers", "redis.url", "signing.keyPairSecret"),
        *("signing.publicKeySecret", "secrets.recommender", "gateway.apiKeysSecret"),
    ],
)
def test_what_must_be_given_is_asked_for_by_its_name(helm: Path, left_out: str) -> None:
    words = (values("least"), f"--set={left_out}=", f"--kube-version={KUBERNETES[-1]}")
    done = run(helm, "template", "shop", str(CHART), *words)
    assert done.returncode != 0
    assert left_out in done.stderr


def test_pods_run_our_commands_with_settings_that_a_service_takes(
    resources: list[Resource], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    top = get_command(app)
    assert isinstance(top, TyperGroup)
    password = tmp_path / "password"
    password.write_text("a password\n")
    for component, pod in pods(resources).items():
        [container] = pod["spec"]["containers"]
        command, *options = container["args"]
        assert command == component
        flags = {flag for param in top.commands[command].params for flag in param.opts}
        assert {word for word in options if word.startswith("--")} <= flags
        with monkeypatch.context() as patch:
            for variable in container["env"]:
                assert variable["name"] in known(), variable["name"]
                is_password = variable["name"].endswith("_PASSWORD_FILE")
                given = str(password) if is_password else variable.get("value", "a user")
                patch.setenv(variable["name"], given)
            settings = checked(KINDS[component])
        assert settings.redis_prefix in {"ms:", "staging:"}


def test_no_secret_stands_in_what_is_rendered(resources: list[Resource]) -> None:
    assert not of(resources, "Secret")
    for component, pod in pods(resources).items():
        names = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        [container] = pod["spec"]["containers"]
        assert names["secret"]["secret"]["secretName"] == (
            "ms-operator" if component == "init" else f"ms-{component}"
        )
        keys = names.get("keys-secret", {}).get("secret", {}).get("secretName")
        signs = component in {"init", "trainer"}
        without = {"lake", "attribution"}
        assert keys == (None if component in without else "ms-signing" if signs else "ms-public")
        for variable in container["env"]:
            named = variable["name"].endswith(("USERNAME", "PASSWORD"))
            assert ("valueFrom" in variable) == named, variable["name"]
    notes = (CHART / "values.yaml").read_text()
    assert PRIVATE_NAME in notes
    assert PUBLIC_NAME in notes


def test_pods_have_no_rights_that_they_do_not_need(resources: list[Resource]) -> None:
    for pod in pods(resources).values():
        spec, [container] = pod["spec"], pod["spec"]["containers"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        writable = {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")}
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        theirs = {
            "lake": "/var/lib/millstream/lake",
            "trainer": "/var/lib/millstream/models",
            "init": "/var/lib/millstream/keys",  # in memory, looked at for what is missing
        }
        assert writable == {"/tmp"} | ({theirs[component]} if component in theirs else set())  # noqa: S108


def test_services_are_probed_where_they_answer(resources: list[Resource]) -> None:
    for component, pod in pods(resources).items():
        [container] = pod["spec"]["containers"]
        if component in {"init", "trainer"}:
            assert "livenessProbe" not in container
            assert pod["spec"]["restartPolicy"] == "Never"
            continue
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        variables = {one["name"]: one.get("value") for one in container["env"]}
        assert variables["MILLSTREAM_METRICS_PORT"] == str(ports["metrics"])
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        if component == "gateway":
            assert variables["MILLSTREAM_GATEWAY_PORT"] == str(ports["http"])


def test_of_what_writes_alone_there_is_one_at_a_time(everything: list[Resource]) -> None:
    [job] = of(everything, "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    assert job["spec"]["jobTemplate"]["spec"]["parallelism"] == 1
    specs = {one["metadata"]["name"]: one["spec"] for one in of(everything, "Deployment")}
    for component in ("lake", "attribution", "insights"):
        spec = specs[f"shop-{component}"]
        assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_keda_scales_on_the_lag_of_our_group(resources: list[Resource]) -> None:
    scaled = of(resources, "ScaledObject")
    workers = [
        d for d in of(resources, "Deployment") if d["metadata"]["name"] == "shop-recommender"
    ]
    assert len(workers) == 1
    assert ("replicas" in workers[0]["spec"]) != bool(scaled), "two would decide"
    for one in scaled:
        assert one["spec"]["scaleTargetRef"]["name"] == workers[0]["metadata"]["name"]
        [trigger] = one["spec"]["triggers"]
        told = trigger["metadata"]
        prefix = told["topic"].removesuffix(EVENTS)
        assert told["consumerGroup"] == f"{prefix}{load(RecommenderSettings).group}"
        assert told["topic"].endswith(EVENTS)
        secured = told.get("tls") == "enable"
        assert ("authenticationRef" in trigger) == secured
    partitions = next(spec.partitions for spec in read_topics() if spec.name == EVENTS)
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    assert defaults["recommender"]["autoscaling"]["maxReplicas"] == partitions


def test_the_network_is_open_to_kafka_redis_and_names_alone(everything: list[Resource]) -> None:
    policies = {one["metadata"]["name"]: one["spec"] for one in of(everything, "NetworkPolicy")}
    egress = policies["shop"]["egress"]
    assert [{port["port"] for port in rule["ports"]} for rule in egress] == [{53}, {9094}, {6380}]
    assert all("to" in rule for rule in egress[1:])
    assert policies["shop"]["policyTypes"] == ["Ingress", "Egress"]
    [metrics] = policies["shop"]["ingress"]
    assert metrics["from"]
    [door] = policies["shop-gateway"]["ingress"]
    assert (door["ports"][0]["port"], bool(door["from"])) == (8080, True)


def test_budgets_and_monitors_choose_pods_and_services_that_are_there(
    everything: list[Resource],
) -> None:
    labels = [pod["metadata"]["labels"] for pod in pods(everything).values()]
    for one in of(everything, "PodDisruptionBudget"):
        wanted = one["spec"]["selector"]["matchLabels"]
        assert sum(wanted.items() <= found.items() for found in labels) == 1
    services = [one["metadata"]["labels"] for one in of(everything, "Service")]
    [monitor] = of(everything, "ServiceMonitor")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert sum(wanted.items() <= found.items() for found in services) == 1


def test_alerts_and_dashboard_are_those_of_the_tree(everything: list[Resource]) -> None:
    [rules] = of(everything, "PrometheusRule")
    file = ROOT / "deploy" / "alerts" / "millstream.rules.yaml"
    assert rules["spec"] == yaml.safe_load(file.read_text())
    [board] = of(everything, "ConfigMap")
    shown = (ROOT / "deploy" / "dashboards" / "millstream.json").read_text()
    assert board["data"]["millstream.json"].strip() == shown.strip()


def test_claims_that_are_given_are_not_made(everything: list[Resource]) -> None:
    assert [one["metadata"]["name"] for one in of(everything, "PersistentVolumeClaim")] == [
        "shop-models"
    ]
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods(everything).values()
        for volume in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert used == {"lake", "shop-models"}


def test_mounted_keys_become_files_that_our_code_takes(
    everything: list[Resource], tmp_path: Path
) -> None:
    """Kubernetes gives them to the group: what the pod does about that is done here."""
    secrets, ours = tmp_path / "secrets", tmp_path / "ours"
    for name in ("keys", "pseudonym-keys"):
        (secrets / name).mkdir(parents=True)
        (ours / name).mkdir(parents=True)
    create_keys(tmp_path / "made")
    rotate(tmp_path / "made", "shop")
    for name in (PRIVATE_NAME, PUBLIC_NAME):
        shutil.copyfile(tmp_path / "made" / name, secrets / "keys" / name)
    shutil.copyfile(tmp_path / "made" / "shop" / "1.key", secrets / "pseudonym-keys" / "shop.1.key")
    for file in secrets.rglob("*.*"):
        file.chmod(0o440)
    [copying] = pods(everything)["gateway"]["spec"]["initContainers"]
    script = copying["args"][0].replace("/run/secrets", str(secrets))
    script = script.replace("/var/lib/millstream", str(ours))
    subprocess.run([*copying["command"], script], check=True, timeout=60)
    assert load_private_key(ours / "keys").public_key() == load_public_key(tmp_path / "made")
    assert newest("shop", ours / "pseudonym-keys") is not None
