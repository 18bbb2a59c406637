"""The gateway's knobs, beside where Kafka, Redis, the keys and the reverse table are."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from millstream.privacy.settings import PrivacySettings
from millstream.settings import Variant


class GatewaySettings(PrivacySettings):
    gateway_host: str = Field(default="127.0.0.1", min_length=1)
    gateway_port: int = Field(default=8080, ge=1, le=65_535)
    gateway_api_keys: Path = Path("run/api-keys.json")
    """The file of `millstream keys api`: hashed keys, their scopes and tenants."""
    gateway_pseudonyms: bool = True
    """Off only where the shop itself sends pseudonyms: ids then go to the topics as they come."""
    gateway_lake: bool = True
    """Off where no lake is kept, or none can be read here: an erasure is then proven without it."""
    gateway_page: bool = True
    """Whether the live page is served, at `/page/`; it does what its reader's API key may do."""
    gateway_replay: bool = False
    """On only beside the replay of a recording: events taken here happen at the time of the newest
    one of the topic."""
    gateway_max_body_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    gateway_requests_per_second: int = Field(default=2_000, ge=1)
    """Of one API key, in this process; past it the answer is 429."""
    gateway_tenant_requests_per_second: int = Field(default=4_000, ge=1)
    """The same, of all API keys of a tenant together."""
    gateway_events_per_second: int = Field(default=2_000, ge=500)
    """Of one API key, in this process: events, reviews and catalogue items."""
    gateway_tenant_events_per_second: int = Field(default=4_000, ge=500)
    """The same, of all API keys of a tenant together."""
    gateway_ack_seconds: float = Field(default=5.0, gt=0, le=60)
    """How long Kafka may take to acknowledge; past it the answer is 503."""
    gateway_request_seconds: float = Field(default=10.0, gt=0, le=600)
    """How long any request may take but those that read whole topics, and its body to come."""
    gateway_admin_seconds: float = Field(default=120.0, gt=0, le=600)
    """How long dead letters and erasures may take."""
    gateway_redis_seconds: float = Field(default=1.0, gt=0, le=10)
    """How long Redis may take before a list comes from memory, marked stale."""
    model_name: str = Field(default="embedding", pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")
    variant: Variant = "default"
    """Stands on every list that is made here."""
