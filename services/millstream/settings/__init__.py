"""What every service must be told: where Kafka, Redis and the files are, and under which names.

A service adds its own knobs in its `settings.py` by deriving from `ConnectionSettings`.
Values come from environment variables, or from a file named by MILLSTREAM_ENV_FILE."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from millstream.domain.brokers import Brokers, Mechanism, Protocol
from millstream.domain.deriving import DAY_MS, EVENT_WEIGHT, Deriving
from millstream.domain.errors import OperatorError
from millstream.domain.events import EventType
from millstream.settings.credentials import located, require_together, secret
from millstream.settings.event_weights import read_weights, write_weights

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]*$", max_length=64)]


Variant = Annotated[str, Field(pattern=r"^[ -~]+$", max_length=64)]
"""What stands on lists that are in no experiment."""
HalfLifeDays = Annotated[float, Field(ge=1, le=3650)]
SECRET = frozenset({"REDIS_URL", "REDIS_PASSWORD", "KAFKA_SASL_PASSWORD"})
"""Variables that may carry a password: an error names them without what was given."""


def _external(name: str) -> Any:
    """A setting under the name that others know it by too; not given: nothing."""
    return Field(default=None, validation_alias=name)


class ConnectionSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="MILLSTREAM_", frozen=True, populate_by_name=True, extra="ignore"
    )

    kafka_bootstrap_servers: Annotated[str, Field(pattern=r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$")] = Field(
        default="127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP_SERVERS"
    )
    kafka_idempotence: bool = True
    """Off only for the embedded broker, which cannot do it."""
    kafka_security_protocol: Protocol = Field(
        default=Protocol.PLAINTEXT, validation_alias="KAFKA_SECURITY_PROTOCOL"
    )
    kafka_ca_file: Path | None = _external("KAFKA_SSL_CA_FILE")
    """Who signed the brokers' certificates, as PEM; not given: whom this machine trusts."""
    kafka_certificate_file: Path | None = _external("KAFKA_SSL_CERTIFICATE_FILE")
    kafka_key_file: Path | None = _external("KAFKA_SSL_KEY_FILE")
    kafka_mechanism: Mechanism = Field(
        default=Mechanism.SCRAM_SHA_512, validation_alias="KAFKA_SASL_MECHANISM"
    )
    kafka_username: str | None = _external("KAFKA_SASL_USERNAME")
    kafka_password: SecretStr | None = _external("KAFKA_SASL_PASSWORD")
    kafka_password_file: Path | None = _external("KAFKA_SASL_PASSWORD_FILE")
    redis_username: str | None = _external("REDIS_USERNAME")
    redis_password: SecretStr | None = _external("REDIS_PASSWORD")
    redis_password_file: Path | None = _external("REDIS_PASSWORD_FILE")
    redis_ca_file: Path | None = _external("REDIS_SSL_CA_FILE")
    redis_certificate_file: Path | None = _external("REDIS_SSL_CERTIFICATE_FILE")
    redis_key_file: Path | None = _external("REDIS_SSL_KEY_FILE")
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        pattern=r"^(redis|rediss|unix)://",
        repr=False,
        validation_alias="REDIS_URL",
        validate_default=True,
    )
    """`rediss://` for TLS. With the user, the password and the files of the settings above in it,
    as clients are given it: never to be shown."""
    model_store: Path = Field(default=Path("run/models"), validation_alias="MODEL_STORE")
    lake_dir: Path = Path("run/lake")
    keys_dir: Path = Path("run/keys")
    """Where `millstream init` puts the signing key; not inside the model store."""
    public_keys_dir: Path | None = None
    """Where `millstream init` puts the public key a second time, for those who must not see the
    private one."""
    letter_keys_dir: Path | None = None
    """Where the pair is that signs letters which are sent again, and nothing else; None: in
    `keys_dir`."""
    ranking_file: Path | None = None
    """How lists are made otherwise than by default, as JSON (ranking/settings.py): the same for
    recommenders, gateways and trainers."""
    ranking_dir: Path | None = None
    """Folder of files <tenant>.json: how that tenant's lists are made otherwise than
    `ranking_file` says. For the same."""
    event_weights: Annotated[
        Mapping[EventType, float],
        NoDecode,
        BeforeValidator(read_weights),
        PlainSerializer(write_weights, when_used="json"),
    ] = EVENT_WEIGHT
    """How much events say about interest (domain/deriving.py), as type=weight with commas
    between; types that are not named keep their usual weight, 0: of no interest."""
    popular_half_life_days: HalfLifeDays = 30.0
    """Of what makes an item popular."""
    together_half_life_days: HalfLifeDays = 30.0
    """Of what says that two items go together."""
    basket_sharing: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How much less an event of many items says for the popularity of each (domain/deriving.py)."""
    metrics_port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """Where a service serves /metrics, /healthz and /readyz; None: nowhere."""
    metrics_host: str = Field(default="127.0.0.1", min_length=1)
    tracing: bool = False
    """Spans of what became of events that bear a `traceparent`; needs the extra `tracing`."""
    topic_prefix: Name = ""
    redis_prefix: Name = "ms:"

    @field_validator("redis_url")
    @classmethod
    def _whole(cls, url: str, given: ValidationInfo) -> str:
        return located(url, given.data)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        require_together(self.model_dump())
        return self

    @property
    def brokers(self) -> Brokers:
        """The cluster as clients are given it. Raises OperatorError where the password's file can't
        be read."""
        return Brokers(
            self.kafka_bootstrap_servers,
            self.kafka_security_protocol,
            self.kafka_ca_file,
            self.kafka_certificate_file,
            self.kafka_key_file,
            self.kafka_mechanism,
            self.kafka_username or "",
            secret("KAFKA_SASL_PASSWORD", self.kafka_password, self.kafka_password_file),
        )

    @property
    def deriving(self) -> Deriving:
        return Deriving(
            self.event_weights,
            round(self.popular_half_life_days * DAY_MS),
            round(self.together_half_life_days * DAY_MS),
            self.basket_sharing,
        )

    def topic(self, name: str) -> str:
        """The name under which this deployment knows a topic of deploy/topics.yaml."""
        return f"{self.topic_prefix}{name}"


S = TypeVar("S", bound=ConnectionSettings)


def load(kind: type[S], **given: object) -> S:
    """Settings from the environment, with `given` on top. Raises OperatorError on a wrong one."""
    try:
        return kind(_env_file=os.environ.get("MILLSTREAM_ENV_FILE"), **given)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = variable(kind, str(first["loc"][0]))
        found = "a value that is not shown" if name in SECRET else repr(first["input"])
        raise OperatorError(f"setting {name}", found, first["msg"]) from None


def variable(kind: type[ConnectionSettings], location: str) -> str:
    """The environment variable behind a field's name or alias."""
    field = kind.model_fields.get(location)
    if field is None:
        return location
    alias = field.validation_alias
    return alias if isinstance(alias, str) else f"MILLSTREAM_{location.upper()}"
