"""What a cluster asks for, in Faust's words."""

from __future__ import annotations

import faust
from faust.types.auth import CredentialsT

from millstream.domain.brokers import Servers
from millstream.streaming.access import tls


def credentials(brokers: Servers) -> CredentialsT | None:
    """None where it asks for nothing. Raises OperatorError where a certificate can't be read."""
    if isinstance(brokers, str):
        return None
    context = tls(brokers)
    if brokers.protocol.names:
        return faust.SASLCredentials(
            username=brokers.user,
            password=brokers.password,
            ssl_context=context,
            mechanism=brokers.mechanism.value,
        )
    return None if context is None else faust.SSLCredentials(context)
