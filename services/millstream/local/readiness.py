"""Whether a server on loopback does its work, not merely listens."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from millstream.local.ports import LOOPBACK


def accepts(port: int) -> bool:
    """Whether something listens; cheap, and silent where a client library would log the refusal."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def knows_its_cluster(port: int) -> bool:
    """Whether a Kafka broker names at least one live broker and a controller.

    The request runs on a loop in a thread of its own, so that callers with and without a running
    loop can ask; it blocks for up to 2 s."""
    if not accepts(port):
        return False
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, _describe(f"{LOOPBACK}:{port}")).result()


async def _describe(bootstrap_servers: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers, request_timeout_ms=2000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await admin.close()
    return bool(cluster["brokers"]) and cluster.get("controller_id", -1) >= 0


def pongs(port: int) -> bool:
    """Whether a Redis or Valkey answers PING; it answers LOADING while it reads its AOF."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as connection:
            connection.sendall(b"*1\r\n$4\r\nPING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False
