"""What every service must be told: where Kafka, Redis and the files are, and under which names.

A service adds its own knobs in its `settings.py` by deriving from `ConnectionSettings`.
Values come from environment variables, or from a file named by MILLSTREAM_ENV_FILE."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from millstream.domain.errors import OperatorError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]*$", max_length=64)]


SECRET = frozenset({"REDIS_URL"})
"""Variables that may carry a password: an error names them without what was given."""


class ConnectionSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="MILLSTREAM_", frozen=True, populate_by_name=True, extra="ignore"
    )

    kafka_bootstrap_servers: Annotated[str, Field(pattern=r"^[^\s,]+:\d+(,[^\s,]+:\d+)*$")] = Field(
        default="127.0.0.1:9092", validation_alias="KAFKA_BOOTSTRAP_SERVERS"
    )
    kafka_idempotence: bool = True
    """Off only for the embedded broker, which cannot do it."""
    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        pattern=r"^(redis|rediss|unix)://",
        validation_alias="REDIS_URL",
    )
    model_store: Path = Field(default=Path("run/models"), validation_alias="MODEL_STORE")
    lake_dir: Path = Path("run/lake")
    keys_dir: Path = Path("run/keys")
    """Where `millstream init` puts the signing key; not inside the model store."""
    public_keys_dir: Path | None = None
    """Where `millstream init` puts the public key a second time, for those who must not see the
    private one."""
    topic_prefix: Name = ""
    redis_prefix: Name = "ms:"

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
