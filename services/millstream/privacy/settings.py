"""Where the keys and the reverse table are, beside where Kafka, Redis and the lake are."""

from __future__ import annotations

from pathlib import Path

from millstream.settings import ConnectionSettings


class PrivacySettings(ConnectionSettings):
    pseudonym_keys_dir: Path = Path("run/pseudonym-keys")
    """A folder per tenant with its pseudonym keys; for clients, the gateway and `erase` alone."""
    reverse_table: Path | None = None
    """The file from pseudonyms back to raw ids; unset: none is kept here."""
    reverse_master_key: Path | None = None
    """The file with the key that opens the reverse table; not beside it, nor in its backups."""
