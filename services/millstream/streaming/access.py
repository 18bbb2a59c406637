"""What every client of Kafka is given to be let in, and why it is not."""

from __future__ import annotations

import ssl
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed

from millstream.domain.brokers import Brokers, Servers
from millstream.domain.errors import OperatorError

ANSWER_MS = 5_000
SERVERS = "setting KAFKA_BOOTSTRAP_SERVERS"


def access(servers: Servers) -> dict[str, Any]:
    """Arguments of aiokafka's producers, consumers and admin clients. Reads the files of the
    certificates; raises OperatorError where they can't be."""
    if isinstance(servers, str):
        return {"bootstrap_servers": servers}
    return {"bootstrap_servers": servers.addresses, **_security(servers)}


def tls(brokers: Brokers) -> ssl.SSLContext | None:
    """None where the cluster does not encrypt. Raises OperatorError as `access` does."""
    if not brokers.protocol.encrypts:
        return None
    try:
        context = ssl.create_default_context(cafile=brokers.ca)
    except (OSError, ssl.SSLError) as error:
        raise _unreadable("KAFKA_SSL_CA_FILE", str(brokers.ca), error) from None
    if brokers.certificate is not None:
        try:
            context.load_cert_chain(brokers.certificate, brokers.key)
        except (OSError, ssl.SSLError) as error:
            found = str(brokers.certificate)
            raise _unreadable("KAFKA_SSL_CERTIFICATE_FILE", found, error) from None
    return context


async def refusal(servers: Servers) -> OperatorError:
    """Why no client could start, as one connection to the first address tells it."""
    address = str(servers).partition(",")[0]
    host, _, port = address.rpartition(":")
    given = {} if isinstance(servers, str) else _security(servers)
    try:
        connection = await create_conn(host, int(port), request_timeout_ms=ANSWER_MS, **given)
    except ssl.SSLError as error:
        return _no_tls(servers, error)
    except SaslAuthenticationFailed:
        return OperatorError(
            "settings KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD",
            f"a user or a password that {address} refuses",
            "a user of the cluster with this mechanism, and its password",
            "See docs/security.md",
        )
    except (KafkaError, ConnectionResetError) as error:  # somebody listens, and hangs up
        return _wrong_protocol(servers, address, error)
    except (OSError, TimeoutError) as error:
        return _away(servers, error)
    connection.close()
    if isinstance(servers, str) or not servers.protocol.names:
        return _wrong_protocol(servers, address, None)  # it says which requests it knows to anyone
    return _away(servers, None)


def _security(brokers: Brokers) -> dict[str, Any]:
    given: dict[str, Any] = {
        "security_protocol": brokers.protocol.value,
        "ssl_context": tls(brokers),
    }
    if brokers.protocol.names:
        given |= {
            "sasl_mechanism": brokers.mechanism.value,
            "sasl_plain_username": brokers.user,
            "sasl_plain_password": brokers.password,
        }
    return given


def _no_tls(servers: Servers, error: ssl.SSLError) -> OperatorError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return OperatorError(
            "setting KAFKA_SSL_CA_FILE",
            f"an authority that did not sign the certificate of {servers} for this name "
            f"({error.verify_message})",
            "the PEM file of the one that did",
        )
    return OperatorError(
        "settings KAFKA_SECURITY_PROTOCOL and KAFKA_SSL_CERTIFICATE_FILE",
        f"a handshake that {servers} refuses ({error.reason})",
        "the protocol of this listener, and a certificate where it asks for one",
    )


def _wrong_protocol(servers: Servers, address: str, error: Exception | None) -> OperatorError:
    protocol = "PLAINTEXT" if isinstance(servers, str) else servers.protocol.value
    why = f" ({type(error).__name__})" if error else ""
    return OperatorError(
        "setting KAFKA_SECURITY_PROTOCOL",
        f"{protocol}, with which {address} does not answer{why}",
        "the protocol and mechanism of this listener: does it ask for TLS, a user, a certificate?",
        "See docs/security.md",
    )


def _away(servers: Servers, error: Exception | None) -> OperatorError:
    why = f" ({type(error).__name__})" if error else ""
    return OperatorError(
        SERVERS,
        f"{servers}, where no broker answers{why}",
        "a Kafka cluster that can be reached",
    )


def _unreadable(setting: str, found: str, error: Exception) -> OperatorError:
    return OperatorError(
        f"setting {setting}",
        f"{found}, which can't be read ({type(error).__name__})",
        "a PEM file, and beside a certificate its key",
    )
