"""A Kafka cluster: where it is, and what it asks of those who come."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class Protocol(StrEnum):
    PLAINTEXT = "PLAINTEXT"
    SSL = "SSL"
    SASL_PLAINTEXT = "SASL_PLAINTEXT"
    SASL_SSL = "SASL_SSL"

    @property
    def encrypts(self) -> bool:
        return self in (Protocol.SSL, Protocol.SASL_SSL)

    @property
    def names(self) -> bool:
        """Whether a user and a password are asked for."""
        return self in (Protocol.SASL_PLAINTEXT, Protocol.SASL_SSL)


class Mechanism(StrEnum):
    PLAIN = "PLAIN"
    SCRAM_SHA_256 = "SCRAM-SHA-256"
    SCRAM_SHA_512 = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class Brokers:
    """`addresses`: host:port, several with commas. `ca`: PEM file of who signed the brokers'
    certificates, None: the authorities that this machine trusts. `certificate` and `key`: PEM files
    of ours, where the cluster asks for one. As text it is its addresses: no secret is shown."""

    addresses: str
    protocol: Protocol = Protocol.PLAINTEXT
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    mechanism: Mechanism = Mechanism.SCRAM_SHA_512
    user: str = ""
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return self.addresses

    @property
    def knows_us(self) -> bool:
        """Whether the cluster learns who we are, and may so give rights to us alone."""
        return self.protocol.names or self.certificate is not None


Servers = Brokers | str
"""Text: addresses of a cluster that asks for nothing, as on one machine."""
