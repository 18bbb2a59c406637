"""Passwords and certificates of Kafka and Redis: from the environment or from files, never both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from pydantic import SecretStr

from millstream.domain.errors import OperatorError

_REDIS_FILES = {
    "redis_ca_file": "ssl_ca_certs",
    "redis_certificate_file": "ssl_certfile",
    "redis_key_file": "ssl_keyfile",
}
"""Settings beside the names that redis-py reads in a URL."""
_KAFKA_FILES = ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file")
_KAFKA_USER = ("kafka_username", "kafka_password", "kafka_password_file")


def secret(variable: str, given: SecretStr | None, file: Path | None) -> str:
    """The password, empty where neither is given. A line feed at a file's end is no part of it.
    Raises OperatorError for both, and for a file that can't be read or has nothing in it."""
    if given is not None and file is not None:
        raise OperatorError(
            f"settings {variable} and {variable}_FILE", "both", "one of them", "Take the file"
        )
    if file is None:
        return "" if given is None else given.get_secret_value()
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            f"setting {variable}_FILE",
            f"{file}, which can't be read ({type(error).__name__})",
            "a file with a password in it",
        ) from None
    if not text:
        raise OperatorError(f"setting {variable}_FILE", f"{file}, which is empty", "a password")
    return text


def located(url: str, given: Mapping[str, Any]) -> str:
    """A Redis URL with user, password and certificate files in it. Raises OperatorError where they
    don't fit the URL."""
    user = given.get("redis_username") or ""
    password = secret(
        "REDIS_PASSWORD",
        given.get("redis_password"),
        given.get("redis_password_file"),
    )
    files = {word: str(given[name]) for name, word in _REDIS_FILES.items() if given.get(name)}
    parts = urlsplit(url)
    if files and parts.scheme != "rediss":
        raise OperatorError(
            "setting REDIS_URL", f"{parts.scheme}:// beside certificates", "rediss://"
        )
    if not (user or password):
        return _with_query(url, files)
    if "@" in parts.netloc:
        raise OperatorError(
            "setting REDIS_URL",
            "a user or password beside REDIS_USERNAME or REDIS_PASSWORD",
            "a URL without them",
        )
    netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc}"
    return _with_query(parts._replace(netloc=netloc).geturl(), files)


def require_together(given: Mapping[str, Any]) -> None:
    """Raises OperatorError where what is said of Kafka contradicts itself: a password that is never
    sent, or a certificate that nobody looks at, is no protection."""
    protocol = given["kafka_security_protocol"]
    named = [name for name in _KAFKA_USER if given[name] is not None]
    if protocol.names and not (given["kafka_username"] and len(named) > 1):
        raise OperatorError(
            "settings KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
            f"not both, with protocol {protocol.value}",
            "a user, and a password or its file",
        )
    if named and not protocol.names:
        raise OperatorError(
            "setting KAFKA_SECURITY_PROTOCOL",
            f"{protocol.value} beside a user or password, which it does not send",
            "SASL_SSL, or SASL_PLAINTEXT within one machine",
        )
    if any(given[name] for name in _KAFKA_FILES) and not protocol.encrypts:
        raise OperatorError(
            "setting KAFKA_SECURITY_PROTOCOL",
            f"{protocol.value} beside certificates, which it does not use",
            "SSL or SASL_SSL",
        )
    secret("KAFKA_SASL_PASSWORD", given["kafka_password"], given["kafka_password_file"])


def _with_query(url: str, words: Mapping[str, str]) -> str:
    if not words:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(words)}"
