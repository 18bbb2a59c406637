"""Passwords and certificates: from the environment or from files, refused where they contradict."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from redis.asyncio import Redis

from millstream.domain.brokers import Brokers, Mechanism, Protocol
from millstream.domain.errors import OperatorError
from millstream.settings import ConnectionSettings, load
from millstream.streaming.access import access
from millstream.streaming.transport.credentials import credentials

PASSWORD = "pa:ss@wo/rd"  # noqa: S105


def loaded(monkeypatch: pytest.MonkeyPatch, **variables: str) -> ConnectionSettings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load(ConnectionSettings)


def test_nothing_given_is_a_cluster_and_a_server_that_ask_for_nothing() -> None:
    settings = load(ConnectionSettings)
    assert access(settings.brokers) == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }
    assert access("h:1") == {"bootstrap_servers": "h:1"}
    assert credentials(settings.brokers) is None
    assert settings.redis_url == "redis://127.0.0.1:6379/0"


def test_a_password_from_a_file_reaches_every_client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    settings = loaded(
        monkeypatch,
        KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
        KAFKA_SASL_MECHANISM="SCRAM-SHA-256",
        KAFKA_SASL_USERNAME="lake",
        KAFKA_SASL_PASSWORD_FILE=str(file),
        REDIS_URL="rediss://h:6380/1",
        REDIS_USERNAME="a user",
        REDIS_PASSWORD_FILE=str(file),
        REDIS_SSL_CA_FILE="/ca.pem",
    )
    given = access(settings.brokers)
    assert given["sasl_mechanism"] == "SCRAM-SHA-256"
    assert (given["sasl_plain_username"], given["sasl_plain_password"]) == ("lake", PASSWORD)
    faust = credentials(settings.brokers)
    assert faust is not None
    assert (faust.protocol.value, vars(faust)["password"]) == ("SASL_PLAINTEXT", PASSWORD)
    redis = Redis.from_url(settings.redis_url).connection_pool.connection_kwargs
    assert (redis["username"], redis["password"], redis["db"]) == ("a user", PASSWORD, 1)
    assert redis["ssl_ca_certs"] == "/ca.pem"
    assert pickle.loads(pickle.dumps(settings)).brokers == settings.brokers  # noqa: S301


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = loaded(
        monkeypatch,
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_USERNAME="lake",
        KAFKA_SASL_PASSWORD=PASSWORD,
        REDIS_URL="rediss://h:1/0",
        REDIS_PASSWORD=PASSWORD,
    )
    for shown in (repr(settings), str(settings.brokers), repr(settings.brokers)):
        assert PASSWORD not in shown
        assert "pa%3Ass" not in shown


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "u"},
            "KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD: got not both",
        ),
        ({"KAFKA_SASL_PASSWORD": PASSWORD}, "KAFKA_SECURITY_PROTOCOL: got PLAINTEXT beside"),
        ({"KAFKA_SSL_CA_FILE": "/ca.pem"}, "KAFKA_SECURITY_PROTOCOL: got PLAINTEXT beside"),
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL: got 'TLS'"),
        ({"REDIS_SSL_CA_FILE": "/ca.pem"}, "REDIS_URL: got redis:// beside certificates"),
        (
            {"REDIS_URL": f"redis://u:{PASSWORD}@h:1", "REDIS_USERNAME": "u"},
            "REDIS_URL: got a user or password beside",
        ),
        ({"REDIS_PASSWORD_FILE": "/no/such/file"}, "REDIS_PASSWORD_FILE: got /no/such/file"),
        (
            {"REDIS_PASSWORD": PASSWORD, "REDIS_PASSWORD_FILE": "/a"},
            "REDIS_PASSWORD and REDIS_PASSWORD_FILE: got both",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str
) -> None:
    with pytest.raises(OperatorError) as refused:
        loaded(monkeypatch, **variables)
    assert told in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_certificates_that_can_not_be_read_are_told(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for brokers, setting in (
        (Brokers("h:1", Protocol.SSL, ca=tmp_path / "none.pem"), "KAFKA_SSL_CA_FILE"),
        (Brokers("h:1", Protocol.SASL_SSL, ca=wrong), "KAFKA_SSL_CA_FILE"),
        (Brokers("h:1", Protocol.SSL, certificate=wrong), "KAFKA_SSL_CERTIFICATE_FILE"),
    ):
        with pytest.raises(OperatorError, match=setting):
            access(brokers)


def test_the_cluster_learns_who_we_are_by_user_or_by_certificate() -> None:
    assert not Brokers("h:1").knows_us
    assert not Brokers("h:1", Protocol.SSL).knows_us
    assert Brokers("h:1", Protocol.SSL, certificate=Path("c")).knows_us
    assert Brokers("h:1", Protocol.SASL_PLAINTEXT, mechanism=Mechanism.PLAIN).knows_us
