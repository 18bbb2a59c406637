"""Kafka and Redis as a careful shop runs them: TLS, a user for each role, rights by our files."""

from __future__ import annotations

import hashlib
import socket
import ssl
from pathlib import Path

import yaml
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from tests.certificates import Authority
from tests.documents import ROOT

from millstream.local.kafka import ApacheKafka
from millstream.local.ports import LOOPBACK, free_port
from millstream.local.valkey import Valkey

ROLES = (
    "recommender",
    "attribution",
    "lake",
    "insights",
    "trainer",
    "gateway",
    "storefront",
    "operator",
)
NOBODY_S = "0" * 64
OPERATIONS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Describe": AclOperation.DESCRIBE,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
    "Create": AclOperation.CREATE,
}
GRANTED_S = 20.0


def password_of(role: str) -> str:
    return f"{role}'s own: {hashlib.sha256(role.encode()).hexdigest()[:12]}"


class SecuredKafka(ApacheKafka):
    """Inside, on loopback, a listener whose users are all super users: for making ACLs. Outside,
    `servers` asks for TLS and a user, `mutual` for a certificate, whose name is the user."""

    def __init__(self, authority: Authority) -> None:
        words = [
            f"--add-scram=SCRAM-SHA-512=[name={role},password={password_of(role)}]"
            for role in ROLES
        ]
        super().__init__(format_options=words)
        ports = {"SECURED": free_port(), "MUTUAL": free_port()}
        self.servers = f"{LOOPBACK}:{ports['SECURED']}"
        self.mutual = f"{LOOPBACK}:{ports['MUTUAL']}"
        outside = ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in ports.items())
        for name in ("listeners", "advertised.listeners"):
            self._properties[name] += f",{outside}"
        self._properties["listener.security.protocol.map"] += ",SECURED:SASL_SSL,MUTUAL:SSL"
        certificate, key = authority.sign("broker")
        both = self.directory / "broker.pem"
        both.write_text(key.read_text() + certificate.read_text())
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        plain = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'user_storefront="{password_of("storefront")}";'
        )
        self._properties |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.ca),
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]*).*$/$1/",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.secured.scram-sha-512.sasl.jaas.config": scram,
            "listener.name.secured.plain.sasl.jaas.config": plain,
            "listener.name.mutual.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }

    def grant(self, prefix: str) -> None:
        """What deploy/kafka/acls.yaml has for each role, in a deployment with this prefix."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        made = admin.create_acls(bindings(prefix), request_timeout=GRANTED_S)
        for future in made.values():
            future.result(GRANTED_S)


def bindings(prefix: str) -> list[AclBinding]:
    told = yaml.safe_load((ROOT / "deploy" / "kafka" / "acls.yaml").read_text())
    found = []
    for role, needs in told.items():
        for topic, rights in needs["topics"].items():
            wanted = [*rights, *(["Create"] if needs.get("creates_topics") else [])]
            found += [_allow(role, ResourceType.TOPIC, f"{prefix}{topic}", r) for r in wanted]
        if "group" in needs:
            found.append(_allow(role, ResourceType.GROUP, f"{prefix}{needs['group']}", "Read"))
    return found


def _allow(role: str, kind: ResourceType, name: str, right: str) -> AclBinding:
    return AclBinding(
        kind,
        name,
        ResourcePatternType.LITERAL,
        f"User:{role}",
        "*",
        OPERATIONS[right],
        AclPermissionType.ALLOW,
    )


class SecuredRedis(Valkey):
    """Debian's redis-server with TLS alone, and the users of deploy/redis/users.acl."""

    name = "redis-server with TLS"

    def __init__(self, authority: Authority, prefix: str) -> None:
        super().__init__()
        certificate, key = authority.sign("redis")
        self._ca = authority.ca
        port = self._config.pop("port")
        users = self.directory / "users.acl"
        users.write_text(users_of(prefix))
        self._config |= {
            "port": "0",
            "tls-port": port,
            "tls-cert-file": str(certificate),
            "tls-key-file": str(key),
            "tls-ca-cert-file": str(authority.ca),
            "tls-auth-clients": "no",
            "aclfile": str(users),
        }
        self.url = f"rediss://{LOOPBACK}:{port}/0"

    def command(self) -> list[str]:
        return ["redis-server", *super().command()[1:]]

    def answers(self) -> bool:
        """To whom has no name it says that one is needed."""
        context = ssl.create_default_context(cafile=self._ca)
        try:
            with (
                socket.create_connection((LOOPBACK, self._port), timeout=1) as plain,
                context.wrap_socket(plain, server_hostname=LOOPBACK) as connection,
            ):
                connection.sendall(b"*1\r\n$4\r\nPING\r\n")
                return connection.recv(64).startswith(b"-NOAUTH")
        except OSError:
            return False


def users_of(prefix: str) -> str:
    """deploy/redis/users.acl with this key prefix and a password for each user."""
    lines = []
    for line in (ROOT / "deploy" / "redis" / "users.acl").read_text().splitlines():
        _, name, *_ = line.split()
        password = hashlib.sha256(password_of(name).encode()).hexdigest()
        lines.append(line.replace(NOBODY_S, password).replace("~ms:", f"~{prefix}"))
    return "\n".join(lines) + "\n"


def settings_of(
    kafka: SecuredKafka, redis: SecuredRedis, folder: Path, role: str
) -> dict[str, str]:
    """The environment of a role's process: passwords in files, as an orchestrator mounts them."""
    secrets = folder / "secrets"
    secrets.mkdir(exist_ok=True)
    password = secrets / role
    password.write_text(f"{password_of(role)}\n")
    ca = str(kafka._properties["ssl.truststore.location"])
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.servers,
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SSL_CA_FILE": ca,
        "KAFKA_SASL_USERNAME": role,
        "KAFKA_SASL_PASSWORD_FILE": str(password),
        "REDIS_URL": redis.url,
        "REDIS_SSL_CA_FILE": ca,
        "REDIS_USERNAME": role,
        "REDIS_PASSWORD_FILE": str(password),
    }
