"""A loopback port that stays ours while its server is down."""

from __future__ import annotations

import secrets
import socket

LOOPBACK = "127.0.0.1"
# Below the ports from which Linux and macOS serve outgoing connections: a client that retries a
# stopped server inside that range can be given the very port it dials, connect to itself, and
# keep the server from coming back.
LOWEST, HIGHEST = 15_000, 32_000


def free_port() -> int:
    """A port nobody listens on at this moment, drawn at random so that parallel runs differ.

    Raises OSError when a hundred draws find none."""
    for _ in range(100):
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port on {LOOPBACK} from {LOWEST} to {HIGHEST}")
