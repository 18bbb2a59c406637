"""deploy/helm: what helm rendered (tests/golden/chart, with its digest) is valid by
the schemas of Kubernetes, KEDA and Prometheus' operator, and about this code: its commands,
settings, ports, topics and secrets. Where helm is (`make helm`) it renders and lints anew."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import kubernetes_validate
import pytest
import yaml
from tests.documents import ROOT, blocks
from tests.go_tools import DEFINITIONS, NOT_RENDERED, Missing, definitions, helm_program
from tests.golden.rendered_chart import (
    CASES,
    CHART,
    KUBERNETES,
    Resource,
    digest,
    kept,
    kept_digest,
    of,
    pods,
    rendered,
    run_helm,
    values,
)
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
from millstream.privacy.reverse_table import create_master_key, load_master_key
from millstream.recommender.settings import RecommenderSettings
from millstream.settings import ConnectionSettings, load
from millstream.streaming.topics import EVENTS, read_topics
from millstream.trainer.settings import TrainerSettings

REVERSE = "/var/lib/millstream/reverse"
OPENTELEMETRY = {"OTEL_EXPORTER_OTLP_ENDPOINT"}
KEPT_DEFINITIONS = ROOT / "tests" / "definitions"
KINDS: dict[str, type[ConnectionSettings]] = {
    "init": ConnectionSettings,
    "recommender": RecommenderSettings,
    "lake": LakeSettings,
    "trainer": TrainerSettings,
    "review-trainer": TrainerSettings,
    "gateway": GatewaySettings,
    "attribution": ConnectionSettings,
    "insights": InsightsSettings,
}
ALIKE = {"review-trainer": "trainer"}
"""Of another command's kind: its user, its rights."""


@pytest.fixture(scope="session")
def helm() -> Path:
    """Built by `make helm`; else the test says how to have it."""
    try:
        return helm_program(build=False)
    except Missing as missing:
        pytest.skip(f"{NOT_RENDERED}: {missing}")


@pytest.fixture(scope="session")
def schemas() -> dict[tuple[str, str], Any]:
    """By apiVersion and kind, of resources that Kubernetes itself does not have; closed, so that a
    misspelt field is found."""
    found = {}
    for file in KEPT_DEFINITIONS.glob("*.yaml"):
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


@pytest.fixture(scope="session", params=CASES)
def resources(request: pytest.FixtureRequest) -> list[Resource]:
    return kept(request.param)


@pytest.fixture(scope="session")
def everything() -> list[Resource]:
    return kept("all")


@pytest.fixture(scope="session")
def one_gateway() -> list[Resource]:
    return kept("one-gateway")


def test_a_second_tenant_is_a_release_of_trainer_and_insights(helm: Path, tmp_path: Path) -> None:
    """As docs/tenants.md has it, beside a first release called shop."""
    [second] = blocks("docs/tenants.md", "yaml")
    (tmp_path / "second.yaml").write_text(second)
    shop = rendered(helm, "least")
    made = rendered(helm, "least", extra=(f"--values={tmp_path / 'second.yaml'}",))
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


def test_what_is_kept_was_rendered_from_this_chart() -> None:
    assert kept_digest() == digest(), (
        "run `make helm`, then `python -m tests.golden.rendered_chart`"
    )


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("case", CASES)
def test_helm_renders_what_is_kept(helm: Path, case: str, version: str) -> None:
    assert rendered(helm, case, version) == kept(case)


@pytest.mark.parametrize("case", CASES)
def test_helm_finds_nothing_to_complain_of(helm: Path, case: str) -> None:
    done = run_helm(helm, "lint", "--strict", str(CHART), values(case))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", DEFINITIONS)
def test_definitions_are_those_of_their_modules(helm: Path, module: str) -> None:
    assert helm
    for file in definitions(module):
        assert (KEPT_DEFINITIONS / file.name).read_text() == file.read_text()


@pytest.mark.parametrize("version", KUBERNETES)
def test_resources_are_valid_by_their_schemas(
    resources: list[Resource], schemas: dict[tuple[str, str], Any], version: str
) -> None:
    for one in resources:
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
        *("gateway.pseudonymKeysSecret", "gateway.reverse.masterKeySecret", "tracing.endpoint"),
    ],
)
def test_what_must_be_given_is_asked_for_by_its_name(helm: Path, left_out: str) -> None:
    words = (values("one-gateway"), f"--set={left_out}=", f"--kube-version={KUBERNETES[-1]}")
    done = run_helm(helm, "template", "shop", str(CHART), *words)
    assert done.returncode != 0
    assert left_out in done.stderr


@pytest.mark.parametrize("more", ["gateway.replicas=2", "gateway.autoscaling.enabled=true"])
def test_two_gateways_have_no_reverse_table(helm: Path, more: str) -> None:
    words = (values("one-gateway"), f"--set={more}", f"--kube-version={KUBERNETES[-1]}")
    done = run_helm(helm, "template", "shop", str(CHART), *words)
    assert done.returncode != 0
    assert "one gateway holds the table" in done.stderr


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
        assert command == ALIKE.get(component, component)
        flags = {flag for param in top.commands[command].params for flag in param.opts}
        assert {word for word in options if word.startswith("--")} <= flags
        with monkeypatch.context() as patch:
            for variable in container["env"]:
                assert variable["name"] in known() | OPENTELEMETRY, variable["name"]
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
            "ms-operator" if component == "init" else f"ms-{ALIKE.get(component, component)}"
        )
        keys = names.get("keys-secret", {}).get("secret", {}).get("secretName")
        signs = ALIKE.get(component, component) in {"init", "trainer"}
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
        writable -= {REVERSE}
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        theirs = {
            "lake": "/var/lib/millstream/lake",
            "trainer": "/var/lib/millstream/models",
            "init": "/var/lib/millstream/keys",  # in memory, looked at for what is missing
        }
        alike = ALIKE.get(component, component)
        assert writable == {"/tmp"} | ({theirs[alike]} if alike in theirs else set())  # noqa: S108


def test_services_are_probed_where_they_answer(resources: list[Resource]) -> None:
    for component, pod in pods(resources).items():
        [container] = pod["spec"]["containers"]
        if ALIKE.get(component, component) in {"init", "trainer"}:
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
    jobs = {job["metadata"]["name"]: job["spec"] for job in of(everything, "CronJob")}
    assert jobs.keys() == {"shop-trainer", "shop-review-trainer"}
    for job in jobs.values():
        assert job["concurrencyPolicy"] == "Forbid"
        assert job["jobTemplate"]["spec"]["parallelism"] == 1
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


def test_one_gateway_holds_the_reverse_table_and_signs_letters_with_a_key_of_its_own(
    one_gateway: list[Resource],
) -> None:
    [workload] = [
        d for d in of(one_gateway, "Deployment") if d["metadata"]["name"] == "shop-gateway"
    ]
    assert (workload["spec"]["replicas"], workload["spec"]["strategy"]) == (1, {"type": "Recreate"})
    [container] = workload["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    paths = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    held = {v["name"]: v for v in workload["spec"]["template"]["spec"]["volumes"]}
    assert Path(variables["MILLSTREAM_REVERSE_TABLE"]).parent == Path(paths["reverse"])
    assert Path(variables["MILLSTREAM_REVERSE_MASTER_KEY"]).parent == Path(paths["reverse-key"])
    assert variables["MILLSTREAM_LETTER_KEYS_DIR"] == paths["letter-keys"]
    secrets = {name: v["secret"]["secretName"] for name, v in held.items() if "secret" in v}
    assert secrets["letter-keys-secret"] == "ms-letters"
    assert secrets["reverse-key-secret"] == "ms-reverse"
    assert secrets["keys-secret"] == "ms-public", "who can read the private key can sign models"
    for component, pod in pods(one_gateway).items():
        theirs = {v["name"] for v in pod["spec"]["volumes"]}
        assert bool(theirs & {"letter-keys", "reverse-key", "reverse"}) == (component == "gateway")


def test_spans_have_a_way_to_the_collector(
    one_gateway: list[Resource], everything: list[Resource]
) -> None:
    for pod in pods(one_gateway).values():
        variables = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
        assert variables["MILLSTREAM_TRACING"] == "true"
        endpoint = urlsplit(variables["OTEL_EXPORTER_OTLP_ENDPOINT"])
        [policy] = [p for p in of(one_gateway, "NetworkPolicy") if p["metadata"]["name"] == "shop"]
        way = policy["spec"]["egress"][-1]
        assert [port["port"] for port in way["ports"]] == [endpoint.port]
        assert way["to"]
    assert "OTEL" not in str(everything), "off unless it is asked for"


def test_a_gateway_reads_the_lake_to_prove_an_erasure_or_knows_that_there_is_none(
    resources: list[Resource],
) -> None:
    found = pods(resources)
    if "gateway" in found:
        [container] = found["gateway"]["spec"]["containers"]
        [mount] = [one for one in container["volumeMounts"] if one["name"] == "lake"]
        assert (mount["mountPath"], mount["readOnly"]) == ("/var/lib/millstream/lake", True)


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
    [board] = (one for one in of(everything, "ConfigMap") if "millstream.json" in one["data"])
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
    assert used == {"lake", "labelled-reviews", "shop-models"}


def test_mounted_keys_become_files_that_our_code_takes(
    one_gateway: list[Resource], tmp_path: Path
) -> None:
    """Kubernetes gives them to the group: what the pod does about that is done here."""
    secrets, ours = tmp_path / "secrets", tmp_path / "ours"
    for name in ("keys", "pseudonym-keys", "letter-keys", "reverse-key"):
        (secrets / name).mkdir(parents=True)
        (ours / name).mkdir(parents=True)
    create_keys(tmp_path / "made")
    rotate(tmp_path / "made", "shop")
    for name in (PRIVATE_NAME, PUBLIC_NAME):
        shutil.copyfile(tmp_path / "made" / name, secrets / "keys" / name)
    shutil.copyfile(tmp_path / "made" / "shop" / "1.key", secrets / "pseudonym-keys" / "shop.1.key")
    create_master_key(tmp_path / "made" / "reverse.key")
    shutil.copyfile(tmp_path / "made" / "reverse.key", secrets / "reverse-key" / "reverse.key")
    for file in secrets.rglob("*.*"):
        file.chmod(0o440)
    [copying] = pods(one_gateway)["gateway"]["spec"]["initContainers"]
    script = copying["args"][0].replace("/run/secrets", str(secrets))
    script = script.replace("/var/lib/millstream", str(ours))
    subprocess.run([*copying["command"], script], check=True, timeout=60)
    assert load_private_key(ours / "keys").public_key() == load_public_key(tmp_path / "made")
    assert newest("shop", ours / "pseudonym-keys") is not None
    assert load_master_key(ours / "reverse-key" / "reverse.key")
